// gRPC over nghttp2 on one epoll loop, not gRPC's own client: that takes about 35 µs of a core for
// each message and wakes several threads for it, and a client beside its server on a small machine
// would measure itself. A message costs this one about a tenth of that.
#include "bench/serve/grpc/grpc_transport.h"
#include "base/code_name.h"

#include <unordered_map>

#include "base/mutex.h"
#include "bench/serve/h2_connection.h"
#include "proto/error_reason.h"
#include "tern/v1/control.pb.h"
#include "tern/v1/inference.pb.h"

namespace tern::bench {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(10);

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

class GrpcTransport;

// One stream. The loop's thread only.
class GenerateCall final : public GrpcCallSink {
 public:
  GenerateCall(GrpcTransport& transport, StreamSink& sink) : transport_(transport), sink_(sink) {}

  Status on_message(TimePoint at, std::string_view message) override;
  void on_end(TimePoint at, GrpcStatus status) override;

  H2Connection* connection = nullptr;

 private:
  void take(const v1::Finished& finished) {
    end_.input_tokens = int32_t(finished.usage().prompt_tokens());
    end_.output_tokens = int32_t(finished.usage().completion_tokens());
    end_.cached_tokens = int32_t(finished.usage().cached_tokens());
    end_.server = ServerTimings{double(finished.timings().ttft_us()) * 1e-6,
                                double(finished.timings().e2e_us()) * 1e-6};
  }

  GrpcTransport& transport_;
  StreamSink& sink_;
  StreamEnd end_;
};

// A call that connect() waits for.
class UnaryCall final : public GrpcCallSink {
 public:
  Status on_message(TimePoint, std::string_view message) override {
    answer = message;
    return {};
  }
  void on_end(TimePoint, GrpcStatus end) override {
    const MutexLock lock(mutex_);
    status = std::move(end);
    has_ended_ = true;
    wake_.notify_one();
  }

  /// Waits until the call's end. False where `stop` or the deadline came first.
  bool wait(const std::function<bool()>& stop, TimePoint deadline) {
    MutexLock lock(mutex_);
    while (!has_ended_ && !(stop && stop()) && std::chrono::steady_clock::now() < deadline)
      wake_.wait_until(lock, std::chrono::steady_clock::now() + std::chrono::milliseconds(50));
    return has_ended_;
  }

  std::string answer;
  GrpcStatus status;

 private:
  Mutex mutex_;
  CondVar wake_;
  bool has_ended_ TERN_GUARDED_BY(mutex_) = false;
};

// "unix:PATH", "HOST:PORT", "[IPV6]:PORT".
Result<SocketAddress> resolve(const std::string& address) {
  if (address.starts_with("unix:")) {
    std::string path = address.substr(5);
    if (path.starts_with("///")) path = path.substr(2);
    return SocketAddress::unix_path(path);
  }
  const size_t colon = address.rfind(':');
  if (colon == 0 || colon == address.npos || colon + 1 == address.size())
    return invalid_argument("must be HOST:PORT or unix:PATH");
  return SocketAddress::resolve(address.substr(0, colon), address.substr(colon + 1));
}

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(const GrpcTransportOptions& options) : options_(options) {}
  ~GrpcTransport() override { loop_.stop(); }

  Result<ServerFacts> connect(const std::function<bool()>& stop) override {
    const Result<SocketAddress> address = resolve(options_.address);
    if (!address.ok()) return unreachable(address.status().message());
    const bool is_unix = options_.address.starts_with("unix:");
    for (int i = 0; i < options_.num_connections; ++i)
      connections_.push_back(std::make_unique<H2Connection>(
          loop_, *address, is_unix ? "localhost" : options_.address));
    TERN_TRY(loop_.start([this] {
      for (const auto& connection : connections_) connection->flush();
      ended_.clear();
    }));
    return ask_facts(stop);
  }

  void send(const PlannedRequest& request, StreamSink& sink) override {
    H2Connection& connection = *connections_[next_++ % connections_.size()];
    loop_.post(
        [this, &connection, &sink, message = to_wire(request, options_).SerializeAsString()] {
          auto owned = std::make_unique<GenerateCall>(*this, sink);
          GenerateCall& call = *owned;
          call.connection = &connection;
          calls_.emplace(&sink, std::move(owned));
          connection.call("/tern.v1.Inference/Generate", message, call);
        });
  }

  void cancel(StreamSink& sink) override {
    loop_.post([this, &sink] {
      if (const auto found = calls_.find(&sink); found != calls_.end())
        found->second->connection->cancel(*found->second);
    });
  }

  std::string name() const override { return "tern.v1"; }
  std::string endpoint() const override { return options_.address; }

 private:
  friend class GenerateCall;

  Status unreachable(const std::string& why) const {
    return Status(Code::kUnavailable, "cannot reach a tern server at " + options_.address + " (" +
                                          why +
                                          "); is ternd running there? Set --server or TERN_SERVER");
  }

  Result<ServerFacts> ask_facts(const std::function<bool()>& stop) {
    v1::GetModelInfoRequest request;
    request.set_model(options_.model);
    UnaryCall call;
    loop_.post([this, &call, message = request.SerializeAsString()] {
      connections_.front()->call("/tern.v1.Control/GetModelInfo", message, call);
    });
    if (!call.wait(stop, std::chrono::steady_clock::now() + kConnectTimeout)) {
      loop_.stop();  // the loop has the call no longer
      if (stop && stop()) return Status(Code::kCancelled, "interrupted");
      return unreachable("no answer within 10 s");
    }
    v1::ModelInfo info;
    const GrpcStatus& status = call.status;
    if (status.code == 0 && info.ParseFromString(call.answer))
      return ServerFacts{
          .model = info.name(),
          .max_model_len = int32_t(info.max_model_len()),
          .vocab_size = int32_t(info.vocab_size()),
          .eos_token_ids = {info.eos_token_ids().begin(), info.eos_token_ids().end()}};
    const std::string reason = error_reason(status.details);
    // ternd itself always gives a reason: it is there, and refuses.
    if (reason.empty()) return unreachable(status.message);
    return Status(Code::kFailedPrecondition, status.message + " (" + reason + ")");
  }

  // Whoever ends a call is still in it: it goes at the batch's end.
  void end(StreamSink& sink) {
    const auto found = calls_.find(&sink);
    ended_.push_back(std::move(found->second));
    calls_.erase(found);
  }

  const GrpcTransportOptions options_;
  size_t next_ = 0;
  EventLoop loop_;
  // The loop's thread.
  v1::GenerateEvent event_;  // one for all: its memory is used again
  std::vector<std::unique_ptr<H2Connection>> connections_;
  std::unordered_map<StreamSink*, std::unique_ptr<GenerateCall>> calls_;
  std::vector<std::unique_ptr<GenerateCall>> ended_;
};

Status GenerateCall::on_message(TimePoint at, std::string_view message) {
  v1::GenerateEvent& event = transport_.event_;
  if (!event.ParseFromArray(message.data(), int(message.size())))
    return Status(Code::kInternal, "a message of the stream is no tern.v1.GenerateEvent");
  if (event.has_delta())
    sink_.on_tokens(at, int32_t(event.delta().num_tokens()));
  else if (event.has_finished())
    take(event.finished());
  return {};
}

void GenerateCall::on_end(TimePoint at, GrpcStatus status) {
  if (status.code != 0) {
    end_.code = code_name(static_cast<Code>(status.code));
    end_.reason = error_reason(status.details);
    end_.message = std::move(status.message);
  }
  transport_.end(sink_);
  sink_.on_end(at, std::move(end_));
}

}  // namespace

std::unique_ptr<Transport> make_grpc_transport(const GrpcTransportOptions& options) {
  return std::make_unique<GrpcTransport>(options);
}

}  // namespace tern::bench
