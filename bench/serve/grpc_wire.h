// gRPC's words over HTTP/2 ("gRPC over HTTP2", doc/PROTOCOL-HTTP2.md of grpc/grpc): messages with
// their prefix, and statuses in trailers.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern::bench {

/// `message` with the prefix that says its length.
std::string frame_grpc_message(std::string_view message);

/// Takes a body apart into messages, however it is cut.
class GrpcMessageReader {
 public:
  /// One message. Valid during the call only.
  using OnMessage = std::function<Status(std::string_view message)>;

  /// The next bytes. kUnimplemented: a message is compressed, which was not offered. kOutOfRange: a
  /// message is over 64 MiB.
  Status feed(std::string_view bytes, const OnMessage& on_message);

 private:
  std::string partial_;  // less than one message
};

/// What ends a call: trailers, or headers that are the only ones.
struct GrpcStatus {
  int code = -1;  ///< -1: none came
  std::string message;
  std::string details;  ///< of grpc-status-details-bin, decoded

  /// Takes grpc-status, grpc-message and grpc-status-details-bin; passes over other headers.
  void take_header(std::string_view name, std::string_view value);
};

/// "%20" is a space; what is no escape stays.
std::string percent_decode(std::string_view text);

/// Decodes base64 with or without padding; it stops at what is none.
std::string base64_decode(std::string_view text);

}  // namespace tern::bench
