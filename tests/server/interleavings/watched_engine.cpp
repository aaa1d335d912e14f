#include "tests/server/interleavings/watched_engine.h"

#include <algorithm>

#include "tests/server/interleavings/drafting.h"

namespace tern {
Solo solo_answer(const std::vector<int32_t>& prompt, const SamplingParams& params,
                 const WatchedConfig& config) {
  const Poison& poison = config.poison;
  Solo solo;
  SimContext context(config.has_state());
  for (size_t i = 0; i < prompt.size(); ++i) {
    context.push(prompt[i]);
    solo.prompt_is_likely.push_back(i + 1 < prompt.size() && context.next_token() == prompt[i + 1]);
    if (params.prompt_logprobs && i + 1 < prompt.size())
      solo.is_poisoned |= poison.hits(prompt[i], static_cast<int32_t>(i));
  }
  int32_t token = prompt.back();
  while (!solo.is_poisoned && solo.num_tokens < params.max_tokens) {
    const auto position = static_cast<int32_t>(prompt.size()) + solo.num_tokens - 1;
    solo.is_poisoned = poison.hits(token, position);
    if (solo.is_poisoned) break;
    token = context.next_token();
    context.push(token);
    solo.token_ids.push_back(token);
    ++solo.num_tokens;
    if (token == SimRunner::kEos) {
      solo.reason = FinishReason::kEos;
      break;
    }
    solo.text += static_cast<char>(token);
    for (const std::string& stop : params.stop) {
      if (!solo.text.ends_with(stop)) continue;
      solo.text.resize(solo.text.size() - stop.size());
      solo.reason = FinishReason::kStopString;
      return solo;
    }
  }
  return solo;
}

/// Stands between the engine and whoever waits for one request.
class WatchedEngine::Witness final : public TokenSink {
 public:
  Witness(WatchedEngine& engine, std::shared_ptr<Known> known, std::shared_ptr<TokenSink> sink)
      : engine_(engine), known_(std::move(known)), sink_(std::move(sink)) {}

  void on_admitted(int32_t cached_tokens) override {
    expect(known_->is_live(), "what has ended is not admitted");
    expect(!known_->is_admitted, "a request is admitted once");
    expect(cached_tokens >= 0 && cached_tokens < known_->num_prompt_tokens,
           "a token of the prompt is always computed");
    known_->is_admitted = true;
    sink_->on_admitted(cached_tokens);
  }

  void on_prompt_logprobs(int32_t first, std::vector<TokenLogprobs> logprobs) override {
    expect(known_->wants_prompt && known_->answers[0].num_tokens == 0,
           "the prompt is told before the answer, to who wants it");
    expect(first == num_reported_, "log-probabilities of the prompt come in order, once");
    for (const TokenLogprobs& of_token : logprobs) {
      const int32_t i = num_reported_++;
      expect(i < known_->num_prompt_tokens && of_token.chosen.token_id == known_->prompt[i],
             "log-probabilities are of the prompt's tokens");
      expect((of_token.chosen.rank == 1) == (i > 0 && known_->solo.prompt_is_likely[i - 1]),
             "log-probabilities are of the token before");
    }
    engine_.scenario_.note(uint64_t(first));
    sink_->on_prompt_logprobs(first, std::move(logprobs));
  }

  void on_event(TokenEvent event) override {
    expect(engine_.is_turning_, "events come from the engine's thread alone");
    expect(event.index >= 0 && event.index < int32_t(known_->answers.size()),
           "an index is in range");
    Known::Answer& answer = known_->answers[event.index];
    expect(!answer.has_ended, "nothing comes after the last event of an answer");
    expect(event.token_ids.empty() || !known_->is_out, "a paused request computes nothing");
    expect(!known_->wants_prompt || event.token_ids.empty() ||
               num_reported_ == known_->num_prompt_tokens,
           "all of the prompt is told before the answer");
    engine_.scenario_.coverage.several_tokens += event.token_ids.size() > 1;
    answer.text += event.text;
    answer.num_tokens += int32_t(event.token_ids.size());
    expect(known_->solo.text.starts_with(answer.text), "an answer is what it is alone");
    Scenario& scenario = engine_.scenario_;
    scenario.note(known_->id * 8 + uint64_t(event.index));
    scenario.note(event.text);
    if (event.finished) end(answer, *event.finished);
    sink_->on_event(std::move(event));
  }

 private:
  void expect(bool ok, const char* what) const { engine_.scenario_.expect(ok, what); }

  void end(Known::Answer& answer, const FinishedEvent& finished) {
    answer.has_ended = true;
    --known_->num_live;
    engine_.scenario_.note(uint64_t(finished.status.code()));
    expect(finished.usage.prompt_tokens == known_->num_prompt_tokens, "the prompt is counted");
    expect(finished.usage.completion_tokens >= int32_t(answer.text.size()), "tokens are counted");
    if (finished.status.ok()) {
      expect(!known_->solo.is_poisoned && answer.text == known_->solo.text, "an answer is whole");
      expect(finished.reason == known_->solo.reason, "an answer ends for its own reason");
      engine_.scenario_.coverage.stop_strings += finished.reason == FinishReason::kStopString;
      engine_.scenario_.coverage.prompt_logprobs += known_->wants_prompt;
      expect(finished.usage.completion_tokens == answer.num_tokens, "a counted token is told");
    } else if (known_->failure.ok()) {
      known_->failure = finished.status;
      expect(finished.status.detail()->reason != "NUMERIC_FAULT" ||
                 answer.num_tokens == known_->solo.num_tokens,
             "a fault comes where it must");
      engine_.check_end(*known_, finished.status);
      engine_.cover_end(*known_, finished.status);
    } else {
      expect(finished.status.code() == known_->failure.code(), "answers of a request fail alike");
    }
    if (!known_->is_live()) engine_.ended(known_);
  }

  WatchedEngine& engine_;
  const std::shared_ptr<Known> known_;
  const std::shared_ptr<TokenSink> sink_;
  int32_t num_reported_ = 0;  // tokens of the prompt
};

std::unique_ptr<WatchedEngine> WatchedEngine::create(const WatchedConfig& config,
                                                     Scenario& scenario) {
  Result<std::unique_ptr<Scheduler>> scheduler = Scheduler::create(config.scheduler);
  scenario.expect(scheduler.ok(), "the drawn config is valid");
  return std::unique_ptr<WatchedEngine>(new WatchedEngine(config, scenario, *std::move(scheduler)));
}

WatchedEngine::WatchedEngine(const WatchedConfig& config, Scenario& scenario,
                             std::unique_ptr<Scheduler> scheduler)
    : EngineCore(make_sim_assets(config.scheduler.max_model_len), config.queue, scenario.clock,
                 std::move(scheduler),
                 std::make_unique<ShadowRunner>(config.scheduler, config.poison, scenario),
                 kDraftingRows),
      config_(config),
      scenario_(scenario) {}

Result<uint64_t> WatchedEngine::submit(Request request, std::shared_ptr<TokenSink> sink) {
  if (scenario_.one_in(2)) request.strategy = kDraftingRows[config_.has_state()].name;
  const std::shared_ptr<Known> known = describe(request);
  const Result<uint64_t> id =
      EngineCore::submit(std::move(request), std::make_shared<Witness>(*this, known, sink));
  if (!id.ok()) {
    check_refused(*known, id.status());
    return id;
  }
  check_accepted(*known);
  known->id = *id;
  known->num_live = static_cast<int32_t>(known->answers.size());
  scenario_.expect(live_.empty() || live_.rbegin()->first < *id, "ids grow");
  for (const auto& [other_id, other] : live_)
    other->may_give_way |= known->priority < other->priority;
  live_[*id] = known;
  live_ids_.insert(known->request_id);
  accepted_.push_back(known);
  ++num_accepted_;
  ++scenario_.coverage.accepted;
  scenario_.coverage.several_answers += known->answers.size() > 1;
  while (scenario_.one_in(6)) {
    ++scenario_.coverage.turns_within_submit;
    advance();
  }
  return id;
}

std::shared_ptr<Known> WatchedEngine::describe(const Request& request) const {
  auto known = std::make_shared<Known>();
  known->request_id = request.request_id;
  known->priority = request.priority;
  known->prompt = request.prompt_token_ids;
  known->wants_prompt = request.sampling.prompt_logprobs.has_value();
  known->num_prompt_tokens = static_cast<int32_t>(request.prompt_token_ids.size());
  known->deadline = request.deadline;
  known->answers.resize(request.sampling.n);
  known->solo = solo_answer(request.prompt_token_ids, request.sampling, config_);
  known->is_aborted = aborting_.contains(request.request_id);  // the turn takes what came first
  known->kept_up = scenario_.clock.now();
  return known;
}

void WatchedEngine::check_accepted(const Known& known) const {
  scenario_.expect(!is_draining_ && !is_stopped_, "a draining engine takes nothing");
  scenario_.expect(!live_ids_.contains(known.request_id), "a live id is not taken again");
  scenario_.expect(!known.deadline || *known.deadline > scenario_.clock.now(),
                   "what is too late is not taken");
}

void WatchedEngine::check_refused(const Known& known, const Status& status) {
  const FailureDetail* detail = status.detail();
  const std::string reason = detail ? detail->reason : "";
  Coverage& coverage = scenario_.coverage;
  scenario_.note(reason);
  if (reason == "DRAINING") {
    scenario_.expect(is_draining_ || is_stopped_, "only a draining engine refuses all");
    ++coverage.draining;
  } else if (reason == "REQUEST_ID_IN_USE") {
    scenario_.expect(live_ids_.contains(known.request_id), "an ended id may be used again");
    ++coverage.duplicates;
  } else if (reason == "CONTEXT_EXCEEDED") {
    ++coverage.too_long;
  } else if (reason == "QUEUE_FULL" || reason == "QUEUE_TOKENS_FULL") {
    const bool by_tokens = reason == "QUEUE_TOKENS_FULL";
    scenario_.expect(by_tokens || std::stoi(detail->metadata.at("value")) <= num_queued(),
                     "the queue is full of what waits");
    scenario_.expect(num_queued() > 0, "an empty queue takes everything");
    ++(by_tokens ? coverage.queue_tokens_full : coverage.queue_full);
  } else if (reason == "DEADLINE_INFEASIBLE") {
    scenario_.expect(known.deadline.has_value(), "who has no deadline cannot miss it");
    ++coverage.infeasible;
  } else if (reason == "QUEUE_TIMEOUT") {
    scenario_.expect(known.deadline && *known.deadline <= scenario_.clock.now(),
                     "a deadline to come has not passed");
    ++coverage.too_late;
  } else {
    scenario_.expect(false, "a refusal has a reason that is known");
  }
}

// Nothing ends without a cause.
void WatchedEngine::check_end(const Known& known, const Status& status) const {
  const std::string& reason = status.detail()->reason;
  if (reason == "CLIENT_CANCELLED") {
    scenario_.expect(known.is_cancelled, "only what was cancelled is");
  } else if (reason == "ABORTED") {
    scenario_.expect(known.is_aborted, "only what was aborted is");
  } else if (reason == "QUEUE_TIMEOUT" || reason == "GENERATION_TIMEOUT") {
    scenario_.expect(known.deadline.has_value(), "only what has a deadline misses it");
    scenario_.expect(known.is_admitted == (reason == "GENERATION_TIMEOUT"),
                     "a timeout says where the request was");
  } else if (reason == "SLOW_CONSUMER") {
    scenario_.expect(known.is_out && pause_is_over(known), "a pause is given its time");
    scenario_.expect(known.kept_up <= *known.paused, "who reads is not slow");
  } else if (reason == "PREEMPTED_SHED") {
    scenario_.expect(!known.is_admitted && known.may_give_way,
                     "a waiting request gives way to one of a higher class");
  } else if (reason == "DRAINING") {
    scenario_.expect(is_stopped_, "only a shutdown ends everything");
  } else if (reason == "NUMERIC_FAULT") {
    scenario_.expect(known.solo.is_poisoned, "a fault hits the guilty alone");
  } else {
    scenario_.expect(false, "an end has a reason that is known");
  }
}

void WatchedEngine::cover_end(const Known& known, const Status& status) {
  Coverage& coverage = scenario_.coverage;
  const std::string& reason = status.detail()->reason;
  if (reason == "CLIENT_CANCELLED") {
    ++(known.is_admitted ? coverage.cancelled_running : coverage.cancelled_queued);
    const bool none_begun = std::all_of(known.answers.begin(), known.answers.end(),
                                        [](const auto& answer) { return answer.text.empty(); });
    coverage.held_cancels += known.is_admitted && none_begun && known.answers.size() > 1;
  }
  num_aborted_ends_ += reason == "ABORTED";
  coverage.deadline_queued += reason == "QUEUE_TIMEOUT";
  coverage.deadline_running += reason == "GENERATION_TIMEOUT";
  coverage.slow_readers += reason == "SLOW_CONSUMER";
  coverage.shed += reason == "PREEMPTED_SHED";
  coverage.shut_down += reason == "DRAINING";
  coverage.poisoned += reason == "NUMERIC_FAULT";
}

void WatchedEngine::ended(const std::shared_ptr<Known>& known) {
  scenario_.coverage.completed += known->failure.ok();
  live_.erase(known->id);
  live_ids_.erase(known->request_id);
  ended_ids_.insert(known->request_id);
}

void WatchedEngine::cancel(uint64_t id) {
  const auto found = live_.find(id);
  if (found != live_.end())
    found->second->is_cancelled = true;
  else
    ++scenario_.coverage.late_cancels;
  EngineCore::cancel(id);
}

void WatchedEngine::pause(uint64_t id, Seconds at_most) {
  if (const auto found = live_.find(id); found != live_.end()) {
    ++scenario_.coverage.pauses;
    Known& known = *found->second;
    scenario_.expect(!known.paused, "a transport pauses once");
    known.paused = scenario_.clock.now();
    known.pause_at_most = at_most;
  }
  EngineCore::pause(id, at_most);
}

void WatchedEngine::resume(uint64_t id) {
  if (const auto found = live_.find(id); found != live_.end()) {
    ++scenario_.coverage.resumes;
    Known& known = *found->second;
    scenario_.expect(known.paused.has_value(), "a transport resumes what it has paused");
    known.paused.reset();
    known.is_out = false;
  }
  EngineCore::resume(id);
}

void WatchedEngine::abort(std::vector<std::string> request_ids, std::string reason,
                          std::function<void(std::vector<AbortOutcome>)> done) {
  for (const auto& [id, known] : live_)
    for (const std::string& request_id : request_ids)
      known->is_aborted |= known->request_id == request_id;
  ++num_open_aborts_;
  aborting_.insert(request_ids.begin(), request_ids.end());
  const auto check = [this, request_ids, done](std::vector<AbortOutcome> outcomes) {
    --num_open_aborts_;
    scenario_.expect(outcomes.size() == request_ids.size(), "an outcome for each id");
    for (size_t i = 0; i < outcomes.size(); ++i) {
      scenario_.expect(!live_ids_.contains(request_ids[i]), "what was aborted does not live");
      scenario_.expect(
          (outcomes[i] != AbortOutcome::kUnknown) == ended_ids_.contains(request_ids[i]),
          "an id that has been is known");
      num_aborted_told_ += outcomes[i] == AbortOutcome::kAborted;
      scenario_.coverage.aborted += outcomes[i] == AbortOutcome::kAborted;
      scenario_.coverage.abort_finished += outcomes[i] == AbortOutcome::kFinished;
      scenario_.coverage.abort_unknown += outcomes[i] == AbortOutcome::kUnknown;
    }
    scenario_.expect(num_aborted_told_ == num_aborted_ends_, "an abort says what it has done");
    done(std::move(outcomes));
  };
  EngineCore::abort(std::move(request_ids), std::move(reason), check);
  scenario_.expect(!is_stopped_ || num_open_aborts_ == 0, "a late abort is answered at once");
}

void WatchedEngine::start_draining() {
  is_draining_ = true;
  EngineCore::start_draining();
}

void WatchedEngine::shutdown() {
  if (std::exchange(is_stopped_, true)) return;
  stop();
  is_turning_ = true;
  scenario_.expect(!turn(), "the turn after stop() is the last");
  is_turning_ = false;
  scenario_.expect(live_.empty(), "a shutdown ends all that lives");
  check();
}

bool WatchedEngine::pause_is_over(const Known& known) const {
  return *known.paused + to_duration(known.pause_at_most) <= scenario_.clock.now();
}

bool WatchedEngine::must_end(const Known& known) const {
  return known.is_cancelled || known.is_aborted || !known.failure.ok() ||
         (known.deadline && *known.deadline <= scenario_.clock.now()) ||
         (known.is_out && pause_is_over(known));
}

void WatchedEngine::advance() {
  if (is_stopped_) return;
  ++scenario_.coverage.turns;
  std::vector<std::shared_ptr<Known>> doomed;
  for (const auto& [id, known] : live_) {
    if (must_end(*known)) doomed.push_back(known);
    // It pauses when the engine hears of it, and computes nothing from then on.
    if (known->paused && !std::exchange(known->is_out, true)) known->paused = scenario_.clock.now();
  }
  const uint64_t steps_before = scenario_.coverage.steps;
  is_turning_ = true;
  scenario_.expect(turn(), "an engine that was not stopped goes on");
  is_turning_ = false;
  aborting_.clear();
  // Time goes on as in EngineThread's wait(), though there is nothing to compute.
  if (scenario_.coverage.steps == steps_before) scenario_.clock.advance(Seconds(1e-3));
  for (const auto& known : doomed)
    scenario_.expect(!known->is_live(),
                     "what is cancelled, late, failed or slow ends with the turn");
  scenario_.expect(num_open_aborts_ == 0, "an abort is answered with the turn");
}

int32_t WatchedEngine::num_queued() const {
  return static_cast<int32_t>(std::count_if(
      live_.begin(), live_.end(), [](const auto& entry) { return !entry.second->is_admitted; }));
}

void WatchedEngine::check() {
  check_invariants();
  const EngineStats now = stats();
  scenario_.expect(now.num_requests_submitted == num_accepted_, "accepted requests are counted");
  scenario_.expect(now.num_requests_finished == num_accepted_ - live_.size(), "ends are counted");
  scenario_.expect(size_t(now.num_live_requests) == live_.size(), "accepted = ended + live");
  const SchedulerStats& kv = now.scheduler;
  scenario_.expect(!live_.empty() || kv.num_used_blocks == 0, "who is gone holds no KV block");
  scenario_.expect(kv.num_free_blocks + kv.num_used_blocks + kv.num_cached_blocks == num_blocks(),
                   "no KV block is lost");
  const std::vector<RequestState> states = live_requests();
  scenario_.expect(states.size() == live_.size(), "live_requests() has what lives");
  auto known = live_.begin();
  for (const RequestState& state : states) {
    const Known& request = *(known++)->second;
    scenario_.expect(state.request_id == request.request_id &&
                         state.n == int32_t(request.answers.size()) &&
                         state.is_queued == !request.is_admitted,
                     "live_requests() says what is true");
  }
}

std::vector<std::shared_ptr<Known>> WatchedEngine::take_accepted() {
  return std::exchange(accepted_, {});
}

}  // namespace tern
