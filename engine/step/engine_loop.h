// The step: what the engine thread does over and over. No thread of its own, time comes in, so that
// tests and simulations drive it on a virtual clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/decode/strategies.h"
#include "engine/step/build_batch.h"
#include "engine/step/load_predictor.h"
#include "engine/step/model_runner.h"
#include "engine/step/request_book.h"
#include "engine/step/step_histograms.h"
#include "engine/step/token_sink.h"
#include "scheduler/scheduler.h"

namespace tern {

/// Told what happens, so that the facade can account for it. Engine thread.
class LoopObserver {
 public:
  virtual ~LoopObserver() = default;
  virtual void on_step_begin(const StepPlan& plan) = 0;        ///< about to be computed
  virtual void on_dequeued(const Submission& submission) = 0;  ///< admitted, or ended while queued
  virtual void on_first_token(const Submission& submission, TimePoint at) = 0;  ///< of an answer
  virtual void on_answer(const Sequence& answer) = 0;                           ///< is whole
  virtual void on_ended(const Submission& submission) = 0;  ///< its last answer did
};

/// Engine thread only.
class EngineLoop {
 public:
  /// All must outlive the loop; `observer` may be null.
  EngineLoop(std::unique_ptr<Scheduler> scheduler, ModelRunner& runner,
             const DecodeStrategies& strategies, int32_t vocab_size, const Clock& clock,
             LoopObserver* observer);
  ~EngineLoop();

  /// Hands a request to the scheduler; one that it refuses, or whose strategy does not exist, ends
  /// at once with its status.
  void add(Submission submission);

  /// Ends all answers of a live request with `status` (not ok); unknown ids are ignored.
  void end(uint64_t id, const Status& status);

  /// See Engine::pause, Engine::resume.
  void pause(uint64_t id, Seconds at_most);
  void resume(uint64_t id);

  /// Ends all live requests with `status`.
  void end_all(const Status& status);

  /// One step, if there is something to compute; false where there was not, and will not be before
  /// a request comes, resumes or ends.
  bool step();

  /// From now on scores of this version count; `score` says them of what lives.
  void use_ranker(uint64_t version, const std::function<LengthScore(const Request&)>& score);

  /// Goes on by what of `config` may change while running (see Scheduler::reconfigure); its
  /// num_blocks and max_model_len are ignored. kInvalidArgument, with nothing changed, where it
  /// asks for more than there is memory for since start.
  Status reconfigure(SchedulerConfig config);

  /// See Scheduler::flush_prefix_cache.
  int32_t flush_prefix_cache() { return scheduler_->flush_prefix_cache(); }

  /// Aborts the process where its books and the scheduler's disagree. Between steps; for tests.
  void check_invariants() const;

  bool has_work() const { return !book_.empty(); }
  const std::string& policy_name() const { return scheduler_->config().policy.name; }
  SchedulerStats scheduler_stats() const { return scheduler_->stats(); }
  int32_t num_live() const { return static_cast<int32_t>(book_.size()); }
  int32_t max_step_seqs() const { return max_step_seqs_; }
  uint64_t num_prompt_tokens() const { return num_prompt_tokens_; }
  uint64_t num_generated_tokens() const { return num_generated_tokens_; }
  const StepHistograms& step_histograms() const { return step_histograms_; }
  const Scheduler& scheduler() const { return *scheduler_; }
  const LoadPredictor& predictor() const { return predictor_; }

 private:
  struct RequestRange {  // of row_requests_ and of the step's output
    size_t begin, end;
  };

  void add_answer(LiveRequest& request, int32_t index);
  Status schedule_answer(LiveAnswer& answer);
  void ask_demand(LiveAnswer& answer);
  void ask_demands();
  void schedule_held_answers(LiveRequest& request);
  void expire_deadlines(TimePoint now);
  void expire_pauses(TimePoint now);
  void notice_admissions(const StepPlan& plan, TimePoint now);
  void run_step(const StepPlan& plan);
  void request_rows(const ScheduledSequence& scheduled, int32_t first_row);
  void request_prompt_rows(const ScheduledSequence& scheduled, const LiveAnswer& answer,
                           int32_t first_row);
  PlannedRows plan_rows(const ScheduledSequence& scheduled, const LiveAnswer& answer,
                        int32_t first_row) const;
  void take_output(const ScheduledSequence& scheduled, StepOutput& output, RequestRange requests,
                   SequenceResult& out);
  Status report_prompt(LiveAnswer& answer, const Sequence& seq, StepOutput& output,
                       RequestRange requests);
  TokenEvent commit_tokens(LiveAnswer& answer, const SampledRows& rows, SequenceResult& out);
  void observe_step(const StepPlan& plan, TimePoint began);
  void note_sent(LiveAnswer& answer, const TokenEvent& event, TimePoint now);
  void send_events();
  void finish_answer(uint64_t id, TokenEvent event);

  std::unique_ptr<Scheduler> scheduler_;
  ModelRunner& runner_;
  const DecodeStrategies& strategies_;
  const int32_t vocab_size_;
  const Clock& clock_;
  LoopObserver* const observer_;
  BatchBuilder builder_;
  RequestBook book_;

  // Of the step in progress; kept for their memory.
  std::vector<RowRequest> row_requests_;
  std::vector<size_t> first_requests_;  // by plan index, and the end
  StepResult result_;
  std::vector<std::pair<uint64_t, TokenEvent>> events_;
  std::vector<uint64_t> prefilled_;  // requests whose first answer has its first token

  const SchedulerConfig capacity_;  // as at start: what there is memory for
  LoadPredictor predictor_;
  int32_t max_step_seqs_ = 0;
  uint64_t num_prompt_tokens_ = 0;
  uint64_t num_generated_tokens_ = 0;
  StepHistograms step_histograms_;
};

}  // namespace tern
