// The engine with its own thread: the facade over a loop and a runner.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "engine/runtime/admission.h"
#include "engine/runtime/engine.h"
#include "engine/runtime/engine_loop.h"
#include "engine/runtime/recent_ids.h"
#include "engine/runtime/token_rate.h"

namespace tern {

/// What a model directory (or a simulation) brings besides the forward pass. Immutable.
struct ModelAssets {
  ModelInfo info;
  std::unique_ptr<Tokenizer> tokenizer;         ///< may be null
  std::unique_ptr<ChatTemplate> chat_template;  ///< may be null
  std::string chat_template_variables = "{}";
};

class EngineThread final : public Engine, private LoopObserver {
 public:
  /// Starts the thread. `clock` must outlive the engine. kInvalidArgument where the scheduler's
  /// config is.
  static Result<std::unique_ptr<Engine>> start(ModelAssets assets, const SchedulerConfig& scheduler,
                                               const QueueLimits& limits, const Clock& clock,
                                               std::unique_ptr<ModelRunner> runner);
  ~EngineThread() override;

  Result<uint64_t> submit(Request request, std::shared_ptr<TokenSink> sink) override;
  void cancel(uint64_t id) override;
  void pause(uint64_t id, Seconds at_most) override;
  void resume(uint64_t id) override;
  void abort(std::vector<std::string> request_ids, std::string reason,
             std::function<void(std::vector<AbortOutcome>)> done) override;
  void flush_prefix_cache(std::function<void(int32_t)> done) override;
  void reconfigure(const SchedulerConfig& scheduler, const QueueLimits& queue,
                   std::function<void(Status)> done) override;
  void start_draining() override;
  void shutdown() override;
  EngineStats stats() const override;
  std::vector<RequestState> live_requests() const override;
  const ModelInfo& model_info() const override { return assets_.info; }
  const Tokenizer* tokenizer() const override { return assets_.tokenizer.get(); }
  const ChatTemplate* chat_template() const override { return assets_.chat_template.get(); }
  const std::string& chat_template_variables() const override {
    return assets_.chat_template_variables;
  }

 private:
  EngineThread(ModelAssets assets, const QueueLimits& limits, const Clock& clock,
               std::unique_ptr<Scheduler> scheduler, std::unique_ptr<ModelRunner> runner);

  // Runs between two steps, on the engine thread; once that has ended, here.
  using Command = std::function<void()>;
  void post(Command command);

  Status register_request(uint64_t id, const Request& request);
  AbortOutcome abort_one(const std::string& request_id, const std::string& reason);
  void run();
  void publish_stats();
  void on_step_begin(const StepPlan& plan) override;
  void on_dequeued(const Submission& submission) override;
  void on_ended(const Submission& submission) override;

  const ModelAssets assets_;
  const Clock& clock_;
  const std::unique_ptr<ModelRunner> runner_;
  const std::unique_ptr<DecodeStrategy> strategy_;
  EngineLoop loop_;  // engine thread only

  // A sequence of the last step.
  struct StepEntry {
    uint64_t id;
    int32_t computed_tokens, completion_tokens;
  };

  std::mutex late_mutex_;  // orders commands that come after the thread has ended
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::deque<Submission> arrived_;
  std::vector<Command> commands_;
  AdmissionControl admission_;
  LoadPredictor predictor_;  // a copy of the loop's as of the last step
  struct Live {
    RequestState state;
    TimePoint submitted;
  };
  std::map<uint64_t, Live> live_;
  std::unordered_map<std::string, uint64_t> live_ids_;  // by request_id
  RecentIds ended_ids_;
  std::vector<StepEntry> last_step_;
  bool draining_ = false;
  bool stopping_ = false;
  bool stopped_ = false;  // the thread runs no more commands
  uint64_t next_id_ = 1;
  EngineStats stats_;
  TokenRate token_rate_;
  TimePoint last_step_end_;
  TimePoint last_progress_;  // the last step's end, or when work came after a rest

  std::thread thread_;
};

}  // namespace tern
