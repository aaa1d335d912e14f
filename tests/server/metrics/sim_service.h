// Calls without a transport: a serving state over the simulated engine, clients that are threads.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/log.h"
#include "engine/serve/create.h"
#include "server/api/call.h"

namespace tern {

/// Waits for the end of one call.
class CallClient final : public TokenSink {
 public:
  explicit CallClient(ServingState& state, Transport transport = Transport::kGrpc)
      : state_(state), call_(state, transport) {}

  /// The refusal, or nothing: then wait() must follow.
  static std::optional<ApiError> submit(const std::shared_ptr<CallClient>& client,
                                        const v1::GenerateRequest& request,
                                        std::optional<Seconds> timeout = {}) {
    std::optional<TimePoint> deadline;
    if (timeout) deadline = std::chrono::steady_clock::now() + to_duration(*timeout);
    return client->call_.submit(
        [&](const Engine& engine, GenerateCall* out) {
          return to_call(request, engine, client->state_.limits, out);
        },
        deadline, client);
  }

  std::optional<ApiError> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_; });
    return call_.error();
  }

  void on_event(TokenEvent event) override {
    const std::lock_guard lock(mutex_);
    if (!event.finished || !call_.finish(event)) return;
    ended_ = true;
    changed_.notify_all();
  }

  Call& call() { return call_; }

 private:
  ServingState& state_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  Call call_;
};

inline std::unique_ptr<Engine> start_sim(int32_t max_num_seqs = 8, int32_t max_queued = 1024) {
  spdlog::set_level(spdlog::level::off);  // a line a request
  EngineConfig config;
  config.simulate = true;
  config.scheduler.max_num_seqs = max_num_seqs;
  config.queue.max_queued_requests = max_queued;
  Result<std::unique_ptr<Engine>> engine = create_engine(config, {});
  TERN_CHECK(engine.ok(), engine.status().message());
  return *std::move(engine);
}

inline v1::GenerateRequest sim_request(const std::string& text, uint32_t max_tokens) {
  v1::GenerateRequest request;
  request.set_text(text);
  request.mutable_sampling()->mutable_stopping()->set_max_tokens(max_tokens);
  return request;
}

}  // namespace tern
