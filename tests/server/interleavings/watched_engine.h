// The engine without a thread, on a simulated model and a virtual clock, with a witness of all that
// goes in and comes out.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/serve/engine_core.h"
#include "tests/server/interleavings/shadow_runner.h"

namespace tern {

struct WatchedConfig {
  SchedulerConfig scheduler;
  QueueLimits queue;
  Poison poison;

  bool has_state() const { return scheduler.num_state_slots > 0; }
};

/// What a request's answers are when nothing disturbs them.
struct Solo {
  std::string text;
  std::vector<int32_t> token_ids;
  int32_t num_tokens = 0;
  std::vector<bool>
      prompt_is_likely;  ///< by position: the next token of the prompt is what follows
  FinishReason reason = FinishReason::kLength;
  bool is_poisoned = false;  ///< then the answer fails behind `text`
};
Solo solo_answer(const std::vector<int32_t>& prompt, const SamplingParams& params,
                 const WatchedConfig& config);

/// What the witness knows of an accepted request, independently of the engine.
struct Known {
  struct Answer {
    int32_t num_tokens = 0;
    std::string text;
    bool has_ended = false;
  };

  uint64_t id = 0;
  std::string request_id;
  PriorityClass priority{};
  std::vector<int32_t> prompt;
  int32_t num_prompt_tokens = 0;
  bool wants_prompt = false;  // its log-probabilities
  std::optional<TimePoint> deadline;
  Solo solo;
  std::vector<Answer> answers;
  int32_t num_live = 0;  // answers
  Status failure;        // of the first answer that failed
  bool is_admitted = false, is_cancelled = false, is_aborted = false;
  bool may_give_way = false;        // one of a higher class has come
  std::optional<TimePoint> paused;  // since when it is to stay out of the batch
  Seconds pause_at_most{0};
  bool is_out = false;  // the engine has heard of it
  TimePoint kept_up;    // when its reader last had taken everything

  bool is_live() const { return num_live > 0; }
};

class WatchedEngine final : public EngineCore {
 public:
  static std::unique_ptr<WatchedEngine> create(const WatchedConfig& config, Scenario& scenario);

  /// Lets a few turns happen before it returns: a client may hear of its request before its own
  /// submit() is over.
  Result<uint64_t> submit(Request request, std::shared_ptr<TokenSink> sink) override;
  void cancel(uint64_t id) override;
  void pause(uint64_t id, Seconds at_most) override;
  void resume(uint64_t id) override;
  void abort(std::vector<std::string> request_ids, std::string reason,
             std::function<void(std::vector<AbortOutcome>)> done) override;
  void start_draining() override;
  void shutdown() override;

  /// A turn of the engine, and what it must have done.
  void advance();

  /// The rules that hold between turns.
  void check();

  /// What was accepted since the last call.
  std::vector<std::shared_ptr<Known>> take_accepted();

  bool is_stopped() const { return is_stopped_; }
  size_t num_live() const { return live_.size(); }
  int32_t num_blocks() const { return config_.scheduler.num_blocks; }

 private:
  class Witness;

  WatchedEngine(const WatchedConfig& config, Scenario& scenario,
                std::unique_ptr<Scheduler> scheduler);

  std::shared_ptr<Known> describe(const Request& request) const;
  void check_accepted(const Known& known) const;
  void check_refused(const Known& known, const Status& status);
  void check_end(const Known& known, const Status& status) const;
  void cover_end(const Known& known, const Status& status);
  void ended(const std::shared_ptr<Known>& known);
  bool pause_is_over(const Known& known) const;
  bool must_end(const Known& known) const;
  int32_t num_queued() const;

  const WatchedConfig config_;
  Scenario& scenario_;
  std::map<uint64_t, std::shared_ptr<Known>> live_;
  std::set<std::string> live_ids_, ended_ids_, aborting_;
  std::vector<std::shared_ptr<Known>> accepted_;
  uint64_t num_accepted_ = 0;
  uint64_t num_steps_ = 0;
  uint64_t num_open_aborts_ = 0, num_aborted_ends_ = 0, num_aborted_told_ = 0;
  bool is_draining_ = false;
  bool is_stopped_ = false;
  bool is_turning_ = false;
};

}  // namespace tern
