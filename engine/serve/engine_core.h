// The facade over a loop and a runner, without a thread of its own: whoever drives it calls turn().
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "engine/serve/admission.h"
#include "engine/serve/engine.h"
#include "engine/serve/recent_ids.h"
#include "engine/serve/token_rate.h"
#include "engine/step/engine_loop.h"

namespace tern {

/// The functions of Engine are for any thread. turn(), wait() and check_invariants() are for one,
/// the engine thread of engine.h: EngineThread brings it, tests are it themselves. stop() and the
/// turn() that follows are what shutdown() of the derived class consists of.
class EngineCore : public Engine, private LoopObserver {
 public:
  Result<uint64_t> submit(Request request, std::shared_ptr<TokenSink> sink) override;
  void cancel(uint64_t id) override;
  void pause(uint64_t id, Seconds at_most) override;
  void resume(uint64_t id) override;
  void abort(std::vector<std::string> request_ids, std::string reason,
             std::function<void(std::vector<AbortOutcome>)> done) override;
  void flush_prefix_cache(std::function<void(int32_t)> done) override;
  void reconfigure(const SchedulerConfig& scheduler, const QueueLimits& queue,
                   std::function<void(Status)> done) override;
  void use_ranker(std::shared_ptr<const Ranker> ranker) override;
  void start_draining() override;
  EngineStats stats() const override;
  std::vector<RequestState> live_requests() const override;
  const ModelInfo& model_info() const override { return assets_.info; }
  const Tokenizer* tokenizer() const override { return assets_.tokenizer.get(); }
  const ChatRenderer* chat_renderer() const override { return assets_.chat.get(); }

  /// Aborts the process where the books of queue, loop and scheduler disagree. For tests.
  void check_invariants() const;

 protected:
  /// `clock` must outlive the engine. Requests may be decoded by `more_strategies` besides tern's
  /// own.
  EngineCore(ModelAssets assets, const QueueLimits& limits, const Clock& clock,
             std::unique_ptr<Scheduler> scheduler, std::unique_ptr<ModelRunner> runner,
             std::span<const StrategyRow> more_strategies = {});

  /// Takes what has come and runs a step, if there is one to run. False where stop() was called:
  /// all that lived has ended then, and no turn may follow.
  bool turn();

  /// Waits until the next turn() has something to do.
  void wait();

  /// New requests are refused, and the next turn() is the last.
  void stop();

  ModelRunner& runner() { return *runner_; }

 private:
  // Runs between two steps, on the engine thread; after the last turn, here.
  using Command = std::function<void()>;
  void post(Command command);

  Status register_request(uint64_t id, const Request& request) TERN_REQUIRES(mutex_);
  AbortOutcome abort_one(const std::string& request_id, const std::string& reason);
  void end_all();
  void publish_stats();
  void on_step_begin(const StepPlan& plan) override;
  void on_dequeued(const Submission& submission) override;
  void on_first_token(const Submission& submission, TimePoint at) override;
  void on_answer(const Sequence& answer) override;
  void on_ended(const Submission& submission) override;

  const ModelAssets assets_;
  const Clock& clock_;
  const std::unique_ptr<ModelRunner> runner_;
  const DecodeStrategies strategies_;
  Ranking ranking_;
  // Engine thread only.
  EngineLoop loop_;
  bool stepped_ = false;          // the last turn ran a step
  std::deque<Submission> taken_;  // by the turn in progress; kept for their memory
  std::vector<Command> to_run_;

  Mutex late_mutex_;  // orders commands that come after the last turn
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<Submission> arrived_ TERN_GUARDED_BY(mutex_);
  std::vector<Command> commands_ TERN_GUARDED_BY(mutex_);
  AdmissionControl admission_ TERN_GUARDED_BY(mutex_);
  LoadPredictor predictor_ TERN_GUARDED_BY(mutex_);  // a copy of the loop's as of the last step
  struct Live {
    RequestState state;
    TimePoint arrival;
  };
  /// Null where it has ended.
  Live* live_request_of(uint64_t answer_id) TERN_REQUIRES(mutex_);
  bool has_news() const TERN_REQUIRES(mutex_);  // for the next turn()
  std::map<uint64_t, Live> live_ TERN_GUARDED_BY(mutex_);
  std::unordered_map<std::string, uint64_t> live_ids_ TERN_GUARDED_BY(mutex_);  // by request_id
  RecentIds ended_ids_ TERN_GUARDED_BY(mutex_);
  bool draining_ TERN_GUARDED_BY(mutex_) = false;
  bool stopping_ TERN_GUARDED_BY(mutex_) = false;
  bool stopped_ TERN_GUARDED_BY(mutex_) = false;  // no turn follows
  uint64_t next_id_ TERN_GUARDED_BY(mutex_) = 1;
  EngineStats stats_ TERN_GUARDED_BY(mutex_);
  TokenRate token_rate_ TERN_GUARDED_BY(mutex_);
  TimePoint last_step_end_ TERN_GUARDED_BY(mutex_);
  TimePoint last_progress_
      TERN_GUARDED_BY(mutex_);  // the last step's end, or when work came after a rest
};

}  // namespace tern
