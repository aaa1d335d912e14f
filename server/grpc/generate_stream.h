// The calls that the engine answers: a request submitted to it, its events written to the client.
#pragma once

#include <grpcpp/grpcpp.h>

#include "server/api/serving_state.h"
#include "server/grpc/sender.h"

namespace tern {

/// Generate: takes the call over. Nothing is sent before the engine has accepted the request.
grpc::ServerWriteReactor<grpc::ByteBuffer>* start_stream(ServingState& state, Sender& sender,
                                                         grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request);

/// GenerateUnary: the same, answered in one message into `response`.
grpc::ServerUnaryReactor* start_unary(ServingState& state, Sender& sender,
                                      grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

/// Score: the log-probabilities of a prompt, whose answer is thrown away.
grpc::ServerUnaryReactor* start_score(ServingState& state, Sender& sender,
                                      grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

}  // namespace tern
