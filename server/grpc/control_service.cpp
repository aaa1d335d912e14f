// tern.v1.Control: what routers and operators ask.
#include "server/api/admin.h"
#include "server/grpc/load_watcher.h"
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

constexpr int kMostAborts = 4096;  // ids of one call

// Requests come in raw, see wire.h.
using Base = Rpc::WithRawCallbackMethod_GetServerInfo<Rpc::WithRawCallbackMethod_GetModelInfo<
    Rpc::WithRawCallbackMethod_ListModels<Rpc::WithRawCallbackMethod_Abort<
        Rpc::WithRawCallbackMethod_GetLoad<Rpc::WithRawCallbackMethod_WatchLoad<
            Rpc::WithRawCallbackMethod_WatchKvEvents<Rpc::CallbackService>>>>>>>;

v1::AbortOutcome to_wire(AbortOutcome outcome) {
  switch (outcome) {
    case AbortOutcome::kAborted:
      return v1::ABORT_OUTCOME_ABORTED;
    case AbortOutcome::kFinished:
      return v1::ABORT_OUTCOME_FINISHED;
    case AbortOutcome::kUnknown:
      return v1::ABORT_OUTCOME_UNKNOWN;
  }
  return v1::ABORT_OUTCOME_UNSPECIFIED;
}

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
          *info = tern::to_wire(engine);
          return {};
        });
  }

  Reactor* ListModels(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::ListModelsRequest, v1::ListModelsResult>(
        context, in, out, [this](const auto&, auto* result) -> Error {
          if (Error error = state_.check_loaded()) return error;
          *result->add_models() = tern::to_wire(*state_.engine());
          return {};
        });
  }

  Reactor* Abort(Context* context, const Buffer* in, Buffer* out) override {
    return reply_later<v1::AbortRequest, v1::AbortResult>(
        context, in, out,
        [this](const v1::AbortRequest& request, auto done) { return abort(request, done); });
  }

  Reactor* GetLoad(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::GetLoadRequest, v1::Load>(
        context, in, out, [this](const v1::GetLoadRequest& request, v1::Load* load) -> Error {
          if (Error error = state_.check_loaded()) return error;
          return tern::to_wire(state_.engine()->stats(), request.sections(), load);
        });
  }

  grpc::ServerWriteReactor<Buffer>* WatchLoad(Context* context, const Buffer* in) override {
    return watch_load(state_, context, *in);
  }

  grpc::ServerWriteReactor<Buffer>* WatchKvEvents(Context*, const Buffer*) override {
    return refuse_stream("stream of KV events");
  }

 private:
  template <class Done>
  Error abort(const v1::AbortRequest& request, Done done) {
    if (Error error = state_.check_loaded()) return error;
    if (request.request_ids_size() > kMostAborts)
      return bad_field("request_ids", std::to_string(request.request_ids_size()) +
                                          " ids, at most " + std::to_string(kMostAborts));
    std::vector<std::string> ids(request.request_ids().begin(), request.request_ids().end());
    state_.engine()->abort(ids, request.reason(),
                           [ids, done](const std::vector<AbortOutcome>& outcomes) {
                             v1::AbortResult result;
                             // An id that is named twice has been aborted by the first.
                             for (size_t i = 0; i < ids.size(); ++i)
                               result.mutable_outcomes()->insert({ids[i], to_wire(outcomes[i])});
                             done(result);
                           });
    return {};
  }

  const ServingState& state_;
  const google::protobuf::Map<std::string, std::string> config_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_control_service(const ServingState& state,
                                                    std::map<std::string, std::string> config) {
  return std::make_unique<ControlService>(state, std::move(config));
}

}  // namespace tern
