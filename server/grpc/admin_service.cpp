// tern.v1.Admin: what changes a running server. On its own listener, which is the only lock there
// is.
#include <utility>

#include "base/log.h"
#include "server/grpc/polled_stream.h"
#include "server/grpc/services.h"
#include "server/grpc/wire.h"
#include "tern/v1/admin.grpc.pb.h"

namespace tern {
namespace {

using Error = std::optional<ApiError>;
using Context = grpc::CallbackServerContext;
using Buffer = grpc::ByteBuffer;
using Reactor = grpc::ServerUnaryReactor;
using Rpc = v1::Admin;

constexpr auto kReportInterval = std::chrono::milliseconds(100);
constexpr double kLongestDrain = 86400;  // seconds

Error check(const v1::DrainRequest& request) {
  const double seconds = request.timeout_seconds();
  if (!request.has_timeout_seconds() || (seconds >= 0 && seconds <= kLongestDrain)) return {};
  return bad_field("timeout_seconds", "must be in [0, " + std::to_string(int(kLongestDrain)) +
                                          "], is " + std::to_string(seconds));
}

// How many requests are live whenever that has changed, until none is and none can come.
PolledStream::Turn report_drain(const ServingState& state, int* num_reported) {
  const bool takes_none = state.refuses_requests();  // first: no request comes after it
  const int num_live = state.num_live_calls();
  const bool done = takes_none && num_live == 0;
  if (num_live == std::exchange(*num_reported, num_live) && !done) return {};
  v1::DrainProgress progress;
  progress.set_num_live_requests(static_cast<uint32_t>(num_live));
  progress.set_done(done);
  PolledStream::Turn turn{.message = to_buffer(progress)};
  if (done) turn.end = grpc::Status::OK;
  return turn;
}

// Requests come in raw, see wire.h.
using Base = Rpc::WithRawCallbackMethod_LoadModel<
    Rpc::WithRawCallbackMethod_UnloadModel<Rpc::WithRawCallbackMethod_LoadAdapter<
        Rpc::WithRawCallbackMethod_UnloadAdapter<Rpc::WithRawCallbackMethod_ListAdapters<
            Rpc::WithRawCallbackMethod_Drain<Rpc::WithRawCallbackMethod_ReloadConfig<
                Rpc::WithRawCallbackMethod_FlushPrefixCache<Rpc::WithRawCallbackMethod_SetLogLevel<
                    Rpc::WithRawCallbackMethod_StartProfile<Rpc::WithRawCallbackMethod_StopProfile<
                        Rpc::WithRawCallbackMethod_ListRequests<Rpc::CallbackService>>>>>>>>>>>>;

v1::PriorityClass to_wire(PriorityClass priority) {
  switch (priority) {
    case PriorityClass::kSystem:
      return v1::PRIORITY_CLASS_SYSTEM;
    case PriorityClass::kInteractive:
      return v1::PRIORITY_CLASS_INTERACTIVE;
    case PriorityClass::kBulk:
      return v1::PRIORITY_CLASS_BULK;
    case PriorityClass::kDefault:
      break;
  }
  return v1::PRIORITY_CLASS_DEFAULT;
}

v1::RequestPhase phase_of(const RequestState& r) {
  if (r.is_queued || r.is_preempted) return v1::REQUEST_PHASE_WAITING;
  return r.ttft ? v1::REQUEST_PHASE_DECODE : v1::REQUEST_PHASE_PREFILL;
}

void to_wire(const RequestState& r, v1::LiveRequest* out) {
  out->set_request_id(r.request_id);
  out->set_phase(phase_of(r));
  out->set_priority(to_wire(r.priority));
  out->set_peer(r.peer);
  out->set_num_answers(static_cast<uint32_t>(r.n));
  out->set_prompt_tokens(static_cast<uint32_t>(r.prompt_tokens));
  out->set_computed_tokens(static_cast<uint32_t>(r.computed_tokens));
  out->set_generated_tokens(static_cast<uint32_t>(r.completion_tokens));
  out->set_age_seconds(r.age.count());
  if (r.ttft) out->set_ttft_seconds(r.ttft->count());
}

class AdminService final : public Base {
 public:
  AdminService(ServingState& state, const AdminHandlers& handlers)
      : state_(state), handlers_(handlers) {}

  grpc::ServerWriteReactor<Buffer>* Drain(Context* context, const Buffer* in) override {
    v1::DrainRequest request;
    Error error = parse_buffer(*in, &request);
    if (!error) error = check(request);
    if (error) return refuse_stream(*error);
    handlers_.drain(request.has_timeout_seconds()
                        ? std::optional<Seconds>(request.timeout_seconds())
                        : std::nullopt);
    // Clients that leave change nothing: the process drains on.
    return PolledStream::start(*context, kReportInterval, [this, num_reported = -1]() mutable {
      return report_drain(state_, &num_reported);
    });
  }

  Reactor* ReloadConfig(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::ReloadConfigRequest, v1::ReloadConfigResult>(
        context, in, out, [this](const auto&, auto* result) { return reload(result); });
  }

  Reactor* FlushPrefixCache(Context* context, const Buffer* in, Buffer* out) override {
    return reply_later<v1::FlushPrefixCacheRequest, v1::FlushPrefixCacheResult>(
        context, in, out, [this](const auto&, auto done) -> Error {
          if (Error error = state_.check_loaded()) return error;
          state_.engine()->flush_prefix_cache([done](int32_t num_blocks) {
            v1::FlushPrefixCacheResult result;
            result.set_num_blocks(static_cast<uint32_t>(num_blocks));
            done(result);
          });
          return {};
        });
  }

  Reactor* ListRequests(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::ListRequestsRequest, v1::ListRequestsResult>(
        context, in, out, [this](const auto&, auto* result) -> Error {
          if (Error error = state_.check_loaded()) return error;
          for (const RequestState& request : state_.engine()->live_requests())
            to_wire(request, result->add_requests());
          return {};
        });
  }

  Reactor* SetLogLevel(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::SetLogLevelRequest, v1::SetLogLevelResult>(
        context, in, out, [](const v1::SetLogLevelRequest& request, auto* result) -> Error {
          Result<std::string> previous = set_log_level(request.level());
          if (!previous.ok()) return bad_field("level", previous.status().message());
          spdlog::info("log level {} instead of {}", request.level(), *previous);
          result->set_previous_level(*std::move(previous));
          return {};
        });
  }

  grpc::ServerWriteReactor<Buffer>* LoadModel(Context*, const Buffer*) override {
    return refuse_stream("second model");
  }
  grpc::ServerWriteReactor<Buffer>* LoadAdapter(Context*, const Buffer*) override {
    return refuse_stream("adapters");
  }
  Reactor* UnloadModel(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, "second model");
  }
  Reactor* UnloadAdapter(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, "adapters");
  }
  Reactor* ListAdapters(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, "adapters");
  }
  Reactor* StartProfile(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, "profiler");
  }
  Reactor* StopProfile(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, "profiler");
  }

 private:
  Error reload(v1::ReloadConfigResult* result) const {
    Result<std::vector<ConfigChange>> changes = handlers_.reload();
    if (!changes.ok()) {
      ApiError error = engine_error(changes.status());
      if (error.code == Code::kInvalidArgument) error.reason = "CONFIG_INVALID";
      return error;
    }
    for (const ConfigChange& change : *changes) {
      v1::ConfigChange& out = *result->add_changes();
      out.set_key(change.key);
      out.set_old_value(change.old_value);
      out.set_new_value(change.new_value);
      out.set_needs_restart(change.needs_restart);
    }
    return {};
  }

  ServingState& state_;
  const AdminHandlers& handlers_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_admin_service(ServingState& state,
                                                  const AdminHandlers& handlers) {
  return std::make_unique<AdminService>(state, handlers);
}

}  // namespace tern
