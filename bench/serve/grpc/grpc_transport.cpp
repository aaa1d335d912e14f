#include "bench/serve/grpc/grpc_transport.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <mutex>
#include <unordered_map>

#include "proto/error_reason.h"
#include "tern/v1/control.grpc.pb.h"
#include "tern/v1/inference.grpc.pb.h"

namespace tern::bench {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(5);
constexpr auto kControlTimeout = std::chrono::seconds(10);

const char* code_name(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  return code >= 0 && size_t(code) < std::size(kNames) ? kNames[code] : "UNKNOWN";
}

v1::PriorityClass priority_of(const std::string& name) {
  return name == "system"        ? v1::PRIORITY_CLASS_SYSTEM
         : name == "interactive" ? v1::PRIORITY_CLASS_INTERACTIVE
         : name == "bulk"        ? v1::PRIORITY_CLASS_BULK
                                 : v1::PRIORITY_CLASS_DEFAULT;
}

v1::GenerateRequest to_wire(const PlannedRequest& in, const GrpcTransportOptions& options) {
  v1::GenerateRequest out;
  out.set_model(options.model);
  if (!in.token_ids.empty()) {
    out.mutable_token_ids()->mutable_ids()->Add(in.token_ids.begin(), in.token_ids.end());
  } else if (!in.messages.empty()) {
    for (const ChatTurn& turn : in.messages) {
      v1::ChatMessage& message = *out.mutable_chat()->add_messages();
      message.set_role(turn.role);
      message.set_content(turn.content);
    }
  } else {
    out.set_text(in.text);
  }
  v1::SamplingParams& sampling = *out.mutable_sampling();
  sampling.mutable_stopping()->set_max_tokens(uint32_t(in.max_tokens));
  if (options.settings.ignore_eos) sampling.mutable_stopping()->set_ignore_eos(true);
  if (options.settings.temperature)
    sampling.mutable_random()->set_temperature(float(*options.settings.temperature));
  sampling.mutable_random()->set_seed(in.seed);
  // A token that gives no text (the end of a sequence that goes on) makes an event this way, too.
  out.mutable_response()->set_token_ids(true);
  out.mutable_scheduling()->set_priority(priority_of(options.settings.priority));
  return out;
}

// Where a call says that it is over.
class Calls;

// One stream. gRPC's threads own it from start() to OnDone().
class Call final : public grpc::ClientReadReactor<v1::GenerateEvent> {
 public:
  Call(Calls& calls, StreamSink& sink) : calls_(calls), sink_(sink) {}

  void start(v1::Inference::Stub& stub, const v1::GenerateRequest& request) {
    stub.async()->Generate(&context_, &request, this);
    StartRead(&event_);
    StartCall();
  }

  void cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return;  // OnDone tells why
    if (event_.has_delta()) {
      sink_.on_tokens(std::chrono::steady_clock::now(), int32_t(event_.delta().num_tokens()));
    } else if (event_.has_finished()) {
      take(event_.finished());
    }
    StartRead(&event_);  // the same message: its memory is used again
  }

  void OnDone(const grpc::Status& status) override;

 private:
  void take(const v1::Finished& finished) {
    end_.input_tokens = int32_t(finished.usage().prompt_tokens());
    end_.output_tokens = int32_t(finished.usage().completion_tokens());
    end_.cached_tokens = int32_t(finished.usage().cached_tokens());
    end_.server = ServerTimings{double(finished.timings().ttft_us()) * 1e-6,
                                double(finished.timings().e2e_us()) * 1e-6};
  }

  Calls& calls_;
  StreamSink& sink_;
  grpc::ClientContext context_;
  v1::GenerateEvent event_;
  StreamEnd end_;
};

// The calls in flight. Any thread.
class Calls {
 public:
  Call& add(StreamSink& sink) {
    auto call = std::make_unique<Call>(*this, sink);
    Call& out = *call;
    const std::lock_guard lock(mutex_);
    live_.emplace(&sink, std::move(call));
    return out;
  }

  void cancel(StreamSink& sink) {
    const std::lock_guard lock(mutex_);  // the call cannot go away meanwhile
    if (const auto found = live_.find(&sink); found != live_.end()) found->second->cancel();
  }

  /// The caller destroys it outside the lock.
  std::unique_ptr<Call> take(StreamSink& sink) {
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(&sink);
    std::unique_ptr<Call> call = std::move(found->second);
    live_.erase(found);
    return call;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<StreamSink*, std::unique_ptr<Call>> live_;
};

void Call::OnDone(const grpc::Status& status) {
  const TimePoint at = std::chrono::steady_clock::now();
  const std::unique_ptr<Call> self = calls_.take(sink_);
  if (!status.ok()) {
    end_.code = code_name(status.error_code());
    end_.reason = error_reason(status.error_details());
    end_.message = status.error_message();
  }
  sink_.on_end(at, std::move(end_));
}

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(const GrpcTransportOptions& options) : options_(options) {}

  Result<ServerFacts> connect(const std::function<bool()>& stop) override {
    gpr_set_log_function([](gpr_log_func_args*) {});  // every failure comes back as a status
    google::protobuf::SetLogHandler(nullptr);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);          // the address is the server's
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection a channel
    for (int i = 0; i < options_.num_channels; ++i)
      channels_.push_back(grpc::CreateCustomChannel(options_.address,
                                                    grpc::InsecureChannelCredentials(), arguments));
    for (const auto& channel : channels_) {
      TERN_TRY(wait_connected(*channel, stop));
      stubs_.push_back(v1::Inference::NewStub(channel));
    }
    return ask_facts();
  }

  void send(const PlannedRequest& request, StreamSink& sink) override {
    v1::Inference::Stub& stub = *stubs_[next_stub_++ % stubs_.size()];
    calls_.add(sink).start(stub, to_wire(request, options_));
  }

  void cancel(StreamSink& sink) override { calls_.cancel(sink); }

  std::string name() const override { return "tern.v1"; }
  std::string endpoint() const override { return options_.address; }

 private:
  Status unreachable(const std::string& why) const {
    return Status(Code::kUnavailable, "cannot reach a tern server at " + options_.address + " (" +
                                          why +
                                          "); is ternd running there? Set --server or TERN_SERVER");
  }

  Status wait_connected(grpc::Channel& channel, const std::function<bool()>& stop) const {
    const auto deadline = std::chrono::system_clock::now() + kConnectTimeout;
    for (;;) {
      const grpc_connectivity_state state = channel.GetState(true);
      if (state == GRPC_CHANNEL_READY) return {};
      if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN)
        return unreachable("the connection failed");
      const auto tick = std::chrono::system_clock::now() + std::chrono::milliseconds(50);
      channel.WaitForStateChange(state, tick);
      if (stop && stop()) return Status(Code::kCancelled, "interrupted");
      if (tick > deadline) return unreachable("no answer within 5 s");
    }
  }

  Result<ServerFacts> ask_facts() const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kControlTimeout);
    v1::GetModelInfoRequest request;
    request.set_model(options_.model);
    v1::ModelInfo info;
    const grpc::Status status =
        v1::Control::NewStub(channels_.front())->GetModelInfo(&context, request, &info);
    if (!status.ok()) {
      const std::string reason = error_reason(status.error_details());
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE && reason.empty())
        return unreachable(status.error_message());
      // ternd itself always gives a reason: it is there, and refuses.
      return Status(Code::kFailedPrecondition,
                    status.error_message() + " (" +
                        (reason.empty() ? code_name(status.error_code()) : reason) + ")");
    }
    return ServerFacts{.model = info.name(),
                       .max_model_len = int32_t(info.max_model_len()),
                       .vocab_size = int32_t(info.vocab_size()),
                       .eos_token_ids = {info.eos_token_ids().begin(), info.eos_token_ids().end()}};
  }

  const GrpcTransportOptions options_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<v1::Inference::Stub>> stubs_;
  size_t next_stub_ = 0;
  Calls calls_;
};

}  // namespace

std::unique_ptr<Transport> make_grpc_transport(const GrpcTransportOptions& options) {
  return std::make_unique<GrpcTransport>(options);
}

}  // namespace tern::bench
