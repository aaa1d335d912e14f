// Messages in and out of gRPC's byte buffers. Requests are parsed here, not by generated code,
// because that answers UNIMPLEMENTED without a word to a request it cannot parse. For the services'
// .cpp files only.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "server/api/api_error.h"

namespace tern {

inline grpc::Status to_grpc(const ApiError& error) {
  return {static_cast<grpc::StatusCode>(error.code), error.message, serialize_details(error)};
}

/// Parses as tern::parse_message() does.
inline std::optional<ApiError> parse_buffer(const grpc::ByteBuffer& buffer,
                                            google::protobuf::Message* message) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  bytes.reserve(buffer.Length());
  if (!buffer.Dump(&slices).ok()) return parse_message("\xFF", message);  // cannot be decompressed
  for (const grpc::Slice& slice : slices)
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return parse_message(bytes, message);
}

inline grpc::ByteBuffer to_buffer(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

/// Answers a unary call at once: `handle(const Request&, Response*)` returns an error or nothing.
template <class Request, class Response, class Handler>
grpc::ServerUnaryReactor* reply(grpc::CallbackServerContext* context, const grpc::ByteBuffer* in,
                                grpc::ByteBuffer* out, Handler&& handle) {
  Request request;
  Response response;
  std::optional<ApiError> error = parse_buffer(*in, &request);
  if (!error) error = handle(request, &response);
  if (!error) *out = to_buffer(response);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(error ? to_grpc(*error) : grpc::Status::OK);
  return reactor;
}

/// Answers a call later, from another thread: `handle(const Request&, Done)` returns an error, or
/// has Done(Response) called once.
template <class Request, class Response, class Handler>
grpc::ServerUnaryReactor* reply_later(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
                                      Handler&& handle) {
  Request request;
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto done = [reactor, out](const Response& response) {
    *out = to_buffer(response);
    reactor->Finish(grpc::Status::OK);
  };
  std::optional<ApiError> error = parse_buffer(*in, &request);
  if (!error) error = handle(request, done);
  if (error) reactor->Finish(to_grpc(*error));
  return reactor;
}

/// Refuses a streaming call.
inline grpc::ServerWriteReactor<grpc::ByteBuffer>* refuse_stream(const ApiError& error) {
  class Refusal final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
   public:
    explicit Refusal(grpc::Status status) { Finish(std::move(status)); }
    void OnDone() override { delete this; }
  };
  return new Refusal(to_grpc(error));
}

inline ApiError no_such_feature(const std::string& what) {
  return {.code = Code::kUnimplemented,
          .reason = "FEATURE_DISABLED",
          .message = "this server has no " + what};
}

/// Refuses a call whose feature is missing.
inline grpc::ServerWriteReactor<grpc::ByteBuffer>* refuse_stream(const std::string& what) {
  return refuse_stream(no_such_feature(what));
}
inline grpc::ServerUnaryReactor* refuse(grpc::CallbackServerContext* context,
                                        const std::string& what) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(to_grpc(no_such_feature(what)));
  return reactor;
}

}  // namespace tern
