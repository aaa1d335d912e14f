// Requests that no well-behaved client sends, and the listeners' own failures.
#include "tests/server/wire.h"

#include <grpcpp/generic/generic_stub.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <future>

using namespace tern;

namespace {

// A unary call with these bytes as the request, whatever they are.
grpc::Status call_with(Wire& wire, const std::string& method, const std::string& bytes) {
  grpc::GenericStub stub(wire.channel);
  grpc::ClientContext context;
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> promise;
  stub.UnaryCall(&context, method, {}, &request, &response,
                 [&](grpc::Status status) { promise.set_value(std::move(status)); });
  return promise.get_future().get();
}

std::string field(int number, const std::string& value) {
  REQUIRE(value.size() < 128);
  return std::string{char(number << 3 | 2), char(value.size())} + value;
}

const std::string kUnary = "/tern.v1.Inference/GenerateUnary";

}  // namespace

TEST_CASE("text that is not UTF-8 is refused by name, and the server serves on", "[wire]") {
  Wire wire;
  const auto [method, bytes, path, offset] =
      GENERATE(table<std::string, std::string, std::string, int>({
          {kUnary, field(3, "abc\xFF"), "text", 3},
          {kUnary, field(3, "\xED\xA0\x80"), "text", 0},  // a surrogate
          {kUnary, field(1, "\xC0\x80"), "request_id", 0},
          {kUnary, field(5, field(1, field(1, "user") + field(2, "caf\xE9"))),
           "chat.messages.content", 3},
          {kUnary, field(7, field(3, field(3, "\x80"))), "sampling.stopping.stop", 0},
          {"/tern.v1.Inference/Tokenize", field(2, "x\x80"), "text", 1},
          {"/tern.v1.Control/GetModelInfo", field(1, "\xFE"), "model", 0},
      }));
  const grpc::Status status = call_with(wire, method, bytes);
  CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
  CHECK(reason(status) == "INVALID_UTF8");
  CHECK(bad_field_of(status) == path);
  CHECK(status.error_message() ==
        path + ": not UTF-8: invalid byte at offset " + std::to_string(offset));
  CHECK(wire.generate(text_request("hello", 5)).ok());
}

TEST_CASE("bytes that are no message are INVALID_ARGUMENT", "[wire]") {
  Wire wire;
  const std::string bytes = GENERATE(as<std::string>(), "\x0A\x7F", "\xFF\xFF\xFF\xFF\xFF\xFF",
                                     "\x3A\x02\x08", std::string(100, '\x0B'));
  const grpc::Status status = call_with(wire, kUnary, bytes);
  CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
  CHECK(reason(status) == "MALFORMED_MESSAGE");
  CHECK(wire.generate(text_request("hello", 5)).ok());
}

TEST_CASE("deep nesting and random bytes do no harm", "[wire]") {
  Wire wire;
  v1::GenerateRequest request;
  google::protobuf::Struct* level = request.mutable_chat()->mutable_template_variables();
  for (int i = 0; i < 2000; ++i) level = (*level->mutable_fields())["a"].mutable_struct_value();
  (*level->mutable_fields())["b"].set_string_value("\xFF");
  const grpc::Status status = call_with(wire, kUnary, request.SerializePartialAsString());
  CHECK(status.error_code() == grpc::INVALID_ARGUMENT);

  v1::GenerateRequest rich = text_request("hello", 3);
  v1::SamplingParams& sampling = *rich.mutable_sampling();
  sampling.set_n(2);
  sampling.mutable_penalties()->set_repetition_penalty(1.5f);
  sampling.mutable_penalties()->set_presence_penalty(1);
  (*sampling.mutable_penalties()->mutable_logit_bias())[7] = 2;
  sampling.mutable_constraints()->add_allowed_token_ids(9);
  sampling.mutable_constraints()->add_bad_words("no");
  sampling.mutable_stopping()->set_min_tokens(2);
  rich.mutable_response()->set_logprobs(2);
  rich.mutable_response()->set_prompt_logprobs(1);
  rich.mutable_response()->add_logprob_token_ids(3);
  CHECK(wire.generate(rich).ok());
  uint64_t random = 1;
  for (int i = 0; i < 600; ++i) {
    std::string bytes = (i % 2 ? rich : text_request("hello", 3)).SerializeAsString();
    for (char& c : bytes) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      if (random >> 61 == 0) c = static_cast<char>(random >> 40);
    }
    const grpc::Status status = call_with(wire, kUnary, bytes);
    CAPTURE(i, status.error_message());
    CHECK((status.ok() || status.error_code() == grpc::INVALID_ARGUMENT ||
           status.error_code() == grpc::OUT_OF_RANGE || status.error_code() == grpc::NOT_FOUND ||
           status.error_code() == grpc::UNIMPLEMENTED));
  }
  CHECK(wire.generate(text_request("hello", 5)).ok());
}

TEST_CASE("a message over the limit is RESOURCE_EXHAUSTED", "[wire]") {
  ServerOptions options = any_port();
  options.max_receive_bytes = 10000;
  Wire wire(options);
  const grpc::Status status = wire.generate(text_request(std::string(20000, 'x'), 5));
  CHECK(status.error_code() == grpc::RESOURCE_EXHAUSTED);
  CHECK(wire.generate(text_request("hello", 5)).ok());
}

TEST_CASE("RPCs that are not there are UNIMPLEMENTED", "[wire]") {
  Wire wire;
  const grpc::Status kv_events = call_with(wire, "/tern.v1.Control/WatchKvEvents", "");
  CHECK(kv_events.error_code() == grpc::UNIMPLEMENTED);
  CHECK(reason(kv_events) == "FEATURE_DISABLED");
  // Not on this listener.
  CHECK(call_with(wire, "/tern.v1.Admin/Drain", "").error_code() == grpc::UNIMPLEMENTED);
}

TEST_CASE("reflection can be switched off", "[wire]") {
  const bool on = GENERATE(true, false);
  ServerOptions options = any_port();
  options.reflection = on;
  Wire wire(options);
  for (const char* version : {"v1", "v1alpha"}) {
    const std::string method =
        "/grpc.reflection." + std::string(version) + ".ServerReflection/ServerReflectionInfo";
    const grpc::Status status = call_with(wire, method, field(7, "x"));
    CHECK(status.error_code() == (on ? grpc::OK : grpc::UNIMPLEMENTED));
  }
}

TEST_CASE("the text calls", "[wire]") {
  Wire wire;
  {
    grpc::ClientContext context;
    v1::TokenizeRequest request;
    v1::TokenizeResult result;
    request.set_text("a<eos>");
    REQUIRE(wire.inference->Tokenize(&context, request, &result).ok());
    CHECK(std::vector<uint32_t>(result.token_ids().begin(), result.token_ids().end()) ==
          std::vector<uint32_t>{257, 'a', 256});
    CHECK(result.pieces(2) == "<eos>");
  }
  {
    grpc::ClientContext context;
    v1::TokenizeRequest request;
    v1::TokenizeResult result;
    request.set_text("<eos>");
    request.mutable_text_options()->set_parse_special_tokens(false);
    request.mutable_text_options()->set_add_special_tokens(false);
    REQUIRE(wire.inference->Tokenize(&context, request, &result).ok());
    CHECK(result.token_ids_size() == 5);
  }
  {
    grpc::ClientContext context;
    v1::DetokenizeRequest request;
    v1::DetokenizeResult result;
    for (const uint32_t id : {257u, uint32_t('h'), uint32_t('i'), 0xC3u}) request.add_token_ids(id);
    REQUIRE(wire.inference->Detokenize(&context, request, &result).ok());
    CHECK(result.text() == "hi\uFFFD");
  }
  {
    grpc::ClientContext context;
    v1::DetokenizeRequest request;
    v1::DetokenizeResult result;
    request.add_token_ids(999);
    const grpc::Status status = wire.inference->Detokenize(&context, request, &result);
    CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
    CHECK(bad_field_of(status) == "token_ids[0]");
  }
  {
    grpc::ClientContext context;
    v1::ApplyTemplateRequest request;
    v1::ApplyTemplateResult result;
    auto& message = *request.mutable_chat()->add_messages();
    message.set_role("user");
    message.set_content("hi");
    REQUIRE(wire.inference->ApplyTemplate(&context, request, &result).ok());
    CHECK(result.text() == "[user]hi[assistant]");
    CHECK(result.token_ids_size() == 19);
  }
}

TEST_CASE("the control calls", "[wire]") {
  ServerOptions options = any_port();
  options.config_summary = {{"scheduler.block_size", "16"}};
  Wire wire(options);
  {
    grpc::ClientContext context;
    v1::ServerInfo info;
    REQUIRE(wire.control->GetServerInfo(&context, {}, &info).ok());
    CHECK(info.version() == TERN_VERSION);
    CHECK(info.state() == v1::SERVER_STATE_SERVING);
    CHECK(info.listen(0) == wire.server->addresses().at(0));
    CHECK(info.config().at("scheduler.block_size") == "16");
    CHECK(info.stats().kv_cache().num_blocks() == 100);
    CHECK(info.stats().kv_cache().num_used_blocks() == 10);
  }
  {
    grpc::ClientContext context;
    v1::ListModelsResult models;
    REQUIRE(wire.control->ListModels(&context, {}, &models).ok());
    REQUIRE(models.models_size() == 1);
    CHECK(models.models(0).name() == "fake");
    CHECK(models.models(0).default_sampling().top_k() == 7);
    CHECK(models.models(0).default_sampling().top_p() == 1);
  }
  {
    grpc::ClientContext context;
    v1::GetModelInfoRequest request;
    v1::ModelInfo info;
    request.set_model("other");
    const grpc::Status status = wire.control->GetModelInfo(&context, request, &info);
    CHECK(status.error_code() == grpc::NOT_FOUND);
    CHECK(reason(status) == "MODEL_NOT_FOUND");
    CHECK(detail<google::rpc::ResourceInfo>(status).resource_name() == "other");
  }
}

TEST_CASE("a port or socket that is taken is refused with its name", "[wire]") {
  Wire wire;
  ServerOptions options;
  options.listen = {wire.server->addresses().at(0)};
  const auto second = Server::start(options, {});
  REQUIRE_FALSE(second.ok());
  CHECK(second.status().code() == Code::kUnavailable);
  CHECK(second.status().message() ==
        "server.listen: cannot listen on " + options.listen[0] + ": Address already in use");

  options.listen = {GENERATE("nonsense", "host:", ":1", "h:99999", "unix:")};
  const auto bad = Server::start(options, {});
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.status().code() == Code::kInvalidArgument);
}

TEST_CASE("a unix socket works, and a living one is not taken over", "[wire]") {
  const std::string path = std::filesystem::temp_directory_path() / "tern-wire-test.sock";
  std::filesystem::remove(path);
  ServerOptions options;
  options.listen = {"unix:" + path};
  Wire wire(options);
  CHECK(wire.generate(text_request("hello", 5)).ok());
  const auto second = Server::start(options, {});
  REQUIRE_FALSE(second.ok());
  CHECK(second.status().code() == Code::kUnavailable);
  CHECK(wire.generate(text_request("hello", 5)).ok());
}
