#include "bench/serve/grpc_wire.h"

#include <catch2/catch.hpp>

using namespace tern;
using namespace tern::bench;
using Messages = std::vector<std::string>;

namespace {

Status read(const std::vector<std::string_view>& pieces, Messages* messages) {
  GrpcMessageReader reader;
  for (const std::string_view piece : pieces)
    TERN_TRY(reader.feed(piece, [&](std::string_view message) {
      messages->emplace_back(message);
      return Status();
    }));
  return {};
}

}  // namespace

TEST_CASE("messages, however they are cut", "[bench][serve][grpc]") {
  const Messages expected = {"one", "", std::string(300, 'x'), std::string("\0\0\0\0\5", 5)};
  std::string body;
  for (const std::string& message : expected) body += frame_grpc_message(message);
  CHECK(body.substr(0, 8) == std::string("\0\0\0\0\3one", 8));
  for (size_t i = 0; i <= body.size(); ++i) {
    const std::string_view view = body;
    Messages messages;
    REQUIRE(read({view.substr(0, i), view.substr(i)}, &messages).ok());
    CHECK(messages == expected);
  }
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < body.size(); ++i) bytes.push_back(std::string_view(body).substr(i, 1));
  Messages messages;
  REQUIRE(read(bytes, &messages).ok());
  CHECK(messages == expected);
}

TEST_CASE("messages that are refused", "[bench][serve][grpc]") {
  Messages messages;
  CHECK(read({std::string_view("\1\0\0\0\1x", 6)}, &messages).code() == Code::kUnimplemented);
  CHECK(read({std::string_view("\0\xff\xff\xff\xff", 5)}, &messages).code() == Code::kOutOfRange);
  CHECK(messages.empty());
}

TEST_CASE("statuses in trailers", "[bench][serve][grpc]") {
  GrpcStatus status;
  CHECK(status.code == -1);
  status.take_header("content-type", "application/grpc");
  CHECK(status.code == -1);
  status.take_header("grpc-status", "8");
  status.take_header("grpc-message", "queue%20full: 5%25 %zz %");
  status.take_header("grpc-status-details-bin", "aGVsbG8");
  CHECK(status.code == 8);
  CHECK(status.message == "queue full: 5% %zz %");
  CHECK(status.details == "hello");
  status.take_header("grpc-status", "what");
  CHECK(status.code == 2);
  CHECK(base64_decode("aGVsbG8h") == "hello!");
  CHECK(base64_decode("aA==") == "h");
  CHECK(base64_decode("aGk=") == "hi");
  CHECK(base64_decode("").empty());
}
