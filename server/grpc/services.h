// The gRPC services, made without showing gRPC's headers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/api/admin.h"
#include "server/api/serving_state.h"

namespace grpc {
class Service;
}

namespace tern {

/// tern.v1.Inference. `state` must outlive it.
std::unique_ptr<grpc::Service> make_inference_service(ServingState& state);

/// tern.v1.Control. `config`: the effective configuration by key path. `state` must outlive it.
std::unique_ptr<grpc::Service> make_control_service(const ServingState& state,
                                                    std::map<std::string, std::string> config);

/// tern.v1.Admin, for a listener of its own. Both must outlive it.
std::unique_ptr<grpc::Service> make_admin_service(ServingState& state,
                                                  const AdminHandlers& handlers);

/// tern.v1.Tune, on the same listener: refuses, as nothing here trains yet.
std::unique_ptr<grpc::Service> make_tune_service();

/// grpc.reflection, v1 and v1alpha, of a listener that has `services` (their full names) besides.
std::vector<std::unique_ptr<grpc::Service>> make_reflection_services(
    std::vector<std::string> services);

}  // namespace tern
