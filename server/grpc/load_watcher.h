// Control.WatchLoad: the load again and again.
#pragma once

#include <grpcpp/grpcpp.h>

#include "server/api/serving_state.h"

namespace tern {

/// Takes the call over: a Load at once and then one an interval, until the client or the server
/// ends. `state` must outlive the call.
grpc::ServerWriteReactor<grpc::ByteBuffer>* watch_load(const ServingState& state,
                                                       grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer& bytes);

}  // namespace tern
