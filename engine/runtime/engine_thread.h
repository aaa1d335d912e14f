// The engine with its own thread: the facade over a loop and a runner.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "engine/runtime/engine.h"
#include "engine/runtime/engine_loop.h"

namespace tern {

struct QueueLimits {
  int32_t max_queued_requests = 1024;
  int64_t max_queued_tokens = 1 << 20;  ///< prompt tokens of requests that are not admitted yet
};

/// What a model directory (or a simulation) brings besides the forward pass. Immutable.
struct ModelAssets {
  ModelInfo info;
  std::unique_ptr<Tokenizer> tokenizer;         ///< may be null
  std::unique_ptr<ChatTemplate> chat_template;  ///< may be null
  std::string chat_template_variables = "{}";
};

class EngineThread final : public Engine, private RequestObserver {
 public:
  /// Starts the thread. `clock` must outlive the engine. kInvalidArgument where the scheduler's
  /// config is.
  static Result<std::unique_ptr<Engine>> start(ModelAssets assets, const SchedulerConfig& scheduler,
                                               const QueueLimits& limits, const Clock& clock,
                                               std::unique_ptr<ModelRunner> runner);
  ~EngineThread() override;

  Result<uint64_t> submit(Request request, std::shared_ptr<TokenSink> sink) override;
  void cancel(uint64_t id) override;
  void start_draining() override;
  void shutdown() override;
  EngineStats stats() const override;
  const ModelInfo& model_info() const override { return assets_.info; }
  const Tokenizer* tokenizer() const override { return assets_.tokenizer.get(); }
  const ChatTemplate* chat_template() const override { return assets_.chat_template.get(); }
  const std::string& chat_template_variables() const override {
    return assets_.chat_template_variables;
  }

 private:
  EngineThread(ModelAssets assets, const QueueLimits& limits, const Clock& clock,
               std::unique_ptr<Scheduler> scheduler, std::unique_ptr<ModelRunner> runner);

  Status check(Request& request) const;
  Status reserve_queue_place(const Request& request);
  void run();
  void publish_stats();
  void on_dequeued(const Submission& submission) override;
  void on_ended(const Submission& submission) override;

  const ModelAssets assets_;
  const QueueLimits limits_;
  const Clock& clock_;
  const std::unique_ptr<ModelRunner> runner_;
  const std::unique_ptr<DecodeStrategy> strategy_;
  EngineLoop loop_;  // engine thread only

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::deque<Submission> arrived_;
  std::vector<uint64_t> cancelled_;
  std::unordered_set<std::string> live_request_ids_;
  int32_t num_queued_requests_ = 0;
  int64_t num_queued_tokens_ = 0;
  bool draining_ = false;
  bool stopping_ = false;
  uint64_t next_id_ = 1;
  EngineStats stats_;
  TimePoint last_step_;

  std::thread thread_;
};

}  // namespace tern
