// tern.v1.Control: what routers and operators ask.
#include "server/grpc/services.h"
#include "server/grpc/wire.h"
#include "tern/v1/control.grpc.pb.h"

namespace tern {
namespace {

using Error = std::optional<ApiError>;
using Context = grpc::CallbackServerContext;
using Buffer = grpc::ByteBuffer;
using Reactor = grpc::ServerUnaryReactor;
using Rpc = v1::Control;

// Requests come in raw, see wire.h. The methods that are not overridden are the generated
// UNIMPLEMENTED.
using Base = Rpc::WithRawCallbackMethod_GetServerInfo<Rpc::WithRawCallbackMethod_GetModelInfo<
    Rpc::WithRawCallbackMethod_ListModels<Rpc::CallbackService>>>;

class ControlService final : public Base {
 public:
  ControlService(const ServingState& state, std::map<std::string, std::string> config)
      : state_(state), config_(config.begin(), config.end()) {}

  Reactor* GetServerInfo(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::GetServerInfoRequest, v1::ServerInfo>(
        context, in, out, [this](const auto&, auto* info) -> Error {
          state_.describe(info);
          *info->mutable_config() = config_;
          return {};
        });
  }

  Reactor* GetModelInfo(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::GetModelInfoRequest, v1::ModelInfo>(
        context, in, out, [this](const auto& request, auto* info) -> Error {
          if (Error error = state_.check_loaded()) return error;
          const Engine& engine = *state_.engine();
          if (Error error = check_model(request.model(), engine)) return error;
          *info = to_wire(engine);
          return {};
        });
  }

  Reactor* ListModels(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::ListModelsRequest, v1::ListModelsResult>(
        context, in, out, [this](const auto&, auto* result) -> Error {
          if (Error error = state_.check_loaded()) return error;
          const Engine& engine = *state_.engine();
          *result->add_models() = to_wire(engine);
          return {};
        });
  }

 private:
  const ServingState& state_;
  const google::protobuf::Map<std::string, std::string> config_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_control_service(const ServingState& state,
                                                    std::map<std::string, std::string> config) {
  return std::make_unique<ControlService>(state, std::move(config));
}

}  // namespace tern
