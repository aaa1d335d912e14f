// tern.v1 over gRPC. Shows no gRPC: its headers cost 10 s a file.
#pragma once

#include <memory>

#include "bench/serve/transport.h"

namespace tern::bench {

struct GrpcTransportOptions {
  std::string address;   ///< HOST:PORT or unix:PATH
  std::string model;     ///< empty: the one that is served
  int num_channels = 4;  ///< connections; streams take turns
  RequestSettings settings;
};

/// gRPC's own few threads read all streams.
std::unique_ptr<Transport> make_grpc_transport(const GrpcTransportOptions& options);

}  // namespace tern::bench
