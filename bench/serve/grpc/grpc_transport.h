// tern.v1 over gRPC.
#pragma once

#include <memory>

#include "bench/serve/transport.h"

namespace tern::bench {

struct GrpcTransportOptions {
  std::string address;      ///< HOST:PORT or unix:PATH
  std::string model;        ///< empty: the one that is served
  int num_connections = 1;  ///< streams take turns
  RequestSettings settings;
};

/// One thread reads all streams. No resources are taken before connect().
std::unique_ptr<Transport> make_grpc_transport(const GrpcTransportOptions& options);

}  // namespace tern::bench
