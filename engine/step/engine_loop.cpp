#include "engine/step/engine_loop.h"

#include <algorithm>
#include <ranges>

#include "base/check.h"
#include "base/fail_point.h"

namespace tern {

/// A request between add() and the end of its last answer.
struct EngineLoop::LiveRequest {
  Submission submission;
  const DecodeStrategy* strategy = nullptr;
  int32_t num_live = 0;  // answers that have not ended
  bool is_dequeued = false;
  std::optional<TimePoint> paused_until;
  // Answers but the first are not with the scheduler yet: they wait until the first has put the
  // prompt into the prefix cache.
  bool holds_answers = false;

  int32_t num_answers() const { return submission.request.sampling.n; }
};

/// One of a request's answers between add() and its terminal event.
struct EngineLoop::Answer {
  uint64_t id = 0;
  LiveRequest* request = nullptr;  // outlives its answers
  int32_t index = 0;
  DecodeState decode;
  Sequence* sequence = nullptr;  // the scheduler's, once it has it
  int32_t num_outputs = 1;       // of the sequence's demand, what its strategy has asked for
  int32_t num_reported = 0;      // prompt tokens whose log-probabilities the sink has, where wanted
  bool is_admitted = false;
  TimePoint admitted_at;
  std::optional<TimePoint> first_token_at, last_sent_at;  // when the sink had them
  Usage usage;

  TokenSink& sink() const { return *request->submission.sink; }
  bool reports_prompt() const {
    return decode.params.prompt_logprobs && num_reported < usage.prompt_tokens;
  }
};

EngineLoop::EngineLoop(std::unique_ptr<Scheduler> scheduler, ModelRunner& runner,
                       const DecodeStrategies& strategies, int32_t vocab_size, const Clock& clock,
                       LoopObserver* observer)
    : scheduler_(std::move(scheduler)),
      runner_(runner),
      strategies_(strategies),
      vocab_size_(vocab_size),
      clock_(clock),
      observer_(observer),
      builder_(scheduler_->config()),
      sampler_(vocab_size),
      capacity_(scheduler_->config()),
      predictor_(scheduler_->config()) {}

EngineLoop::~EngineLoop() = default;

Status EngineLoop::reconfigure(SchedulerConfig config) {
  const auto check_room = [](const char* key, int32_t value, int32_t limit) {
    if (value <= limit) return Status();
    return invalid_argument(std::string("scheduler.") + key + ": at most " + std::to_string(limit) +
                            ", as at start, is " + std::to_string(value) + "; restart for more");
  };
  TERN_TRY(check_room("max_num_seqs", config.max_num_seqs, capacity_.max_num_seqs));
  TERN_TRY(check_room("max_num_batched_tokens", config.max_num_batched_tokens,
                      capacity_.max_num_batched_tokens));
  config.num_blocks = capacity_.num_blocks;
  config.max_model_len = capacity_.max_model_len;
  config.num_state_slots = capacity_.num_state_slots;
  TERN_TRY(scheduler_->reconfigure(config));
  predictor_.set_limits(config);
  return {};
}

void EngineLoop::add(Submission submission) {
  const uint64_t id = submission.id;
  auto owned = std::make_unique<LiveRequest>();
  LiveRequest& request = *owned;
  request.submission = std::move(submission);
  request.num_live = request.num_answers();
  request.holds_answers = request.num_answers() > 1 && scheduler_->config().enable_prefix_caching &&
                          !request.submission.request.bypass_prefix_cache;
  requests_.emplace(id, std::move(owned));
  const std::optional<TimePoint>& deadline = request.submission.request.deadline;
  if (deadline) deadlines_.insert({*deadline, id});

  const Result<const DecodeStrategy*> strategy =
      strategies_.find(request.submission.request.strategy);
  request.strategy = strategy.ok() ? *strategy : *strategies_.find(kDefaultStrategy);
  for (int32_t i = 0; i < request.num_answers(); ++i) add_answer(request, i);
  if (!strategy.ok()) return end(id, strategy.status());
  const int32_t num_scheduled = request.holds_answers ? 1 : request.num_answers();
  for (int32_t i = 0; i < num_scheduled; ++i)
    if (const Status status = schedule_answer(*answers_.at(id + i)); !status.ok())
      return end(id, status);
}

void EngineLoop::add_answer(LiveRequest& request, int32_t index) {
  const Request& in = request.submission.request;
  auto answer = std::make_unique<Answer>();
  answer->id = request.submission.id + uint64_t(index);
  answer->request = &request;
  answer->index = index;
  answer->decode = request.strategy->start(in.sampling, in.prompt_token_ids);
  answer->decode.params.seed += uint64_t(index);
  if (index > 0) answer->decode.params.prompt_logprobs.reset();  // the prompt is the same
  answer->usage.prompt_tokens = static_cast<int32_t>(in.prompt_token_ids.size());
  answers_.emplace(answer->id, std::move(answer));
}

Status EngineLoop::schedule_answer(Answer& answer) {
  const Submission& submission = answer.request->submission;
  const Request& request = submission.request;
  auto seq = std::make_unique<Sequence>();
  seq->id = answer.id;
  seq->arrival = submission.arrival;
  seq->priority = request.priority;
  // A cached block has no logits.
  seq->bypass_prefix_cache = request.bypass_prefix_cache || answer.decode.params.prompt_logprobs;
  seq->token_ids = request.prompt_token_ids;
  seq->num_prompt_tokens = seq->num_tokens();
  seq->max_tokens = request.sampling.max_tokens;
  seq->rope_variant = runner_.rope_variant(seq->max_computed_tokens());
  // Keys that were turned by other angles are other keys, as another tenant's are.
  seq->cache_salt = std::to_string(seq->rope_variant) + '/' + request.tenant;
  seq->token_ids.reserve(size_t(seq->num_prompt_tokens) + size_t(seq->max_tokens));
  answer.sequence = seq.get();
  ask_demand(answer);
  return scheduler_->add(std::move(seq));
}

// Between commit() and schedule(), while the sequence's demand is the default.
void EngineLoop::ask_demand(Answer& answer) {
  const Sequence& seq = *answer.sequence;
  Demand& demand = answer.sequence->demand;
  const LiveRequest& request = *answer.request;
  if (!request.submission.request.prompt_only) request.strategy->demand(answer.decode, seq, demand);
  const auto num_draft = static_cast<int32_t>(demand.draft_token_ids.size());
  TERN_CHECK(std::ranges::all_of(demand.draft_token_ids,
                                 [this](int32_t id) { return id >= 0 && id < vocab_size_; }),
             "drafts are tokens of the vocabulary");
  TERN_CHECK(demand.num_outputs >= 0 && demand.num_outputs <= num_draft + 1,
             "a strategy sees logits of the last known token and of drafts");
  answer.num_outputs = demand.num_outputs;
  // The logits of a position are those of the next token.
  if (answer.reports_prompt())
    demand.num_outputs = seq.num_tokens() + num_draft - std::max(answer.num_reported - 1, 0);
}

// Of what the step has computed and goes on.
void EngineLoop::ask_demands() {
  for (const SequenceResult& result : result_.sequences)
    if (const auto found = answers_.find(result.id); found != answers_.end())
      ask_demand(*found->second);
}

void EngineLoop::schedule_held_answers(LiveRequest& request) {
  if (!request.holds_answers) return;
  request.holds_answers = false;
  const uint64_t id = request.submission.id;
  for (int32_t i = 1; i < request.num_answers(); ++i)
    if (const Status status = schedule_answer(*answers_.at(id + i)); !status.ok())
      return end(id, status);
}

void EngineLoop::end(uint64_t id, const Status& status) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  const int32_t num_answers = found->second->num_answers();  // the last one takes the request away
  for (int32_t i = 0; i < num_answers; ++i) {
    if (!answers_.contains(id + i)) continue;
    // Between steps nothing is in flight: the blocks return at once.
    (void)scheduler_->abort(id + i);
    finish_answer(id + i, {.finished = FinishedEvent{.status = status}});
  }
}

void EngineLoop::pause(uint64_t id, Seconds at_most) {
  const auto found = requests_.find(id);
  if (found == requests_.end() || found->second->paused_until) return;
  LiveRequest& request = *found->second;
  request.paused_until = clock_.now() + to_duration(at_most);
  pauses_.insert({*request.paused_until, id});
  for (int32_t i = 0; i < request.num_answers(); ++i) scheduler_->pause(id + i);
}

void EngineLoop::resume(uint64_t id) {
  const auto found = requests_.find(id);
  if (found == requests_.end() || !found->second->paused_until) return;
  LiveRequest& request = *found->second;
  pauses_.erase({*request.paused_until, id});
  request.paused_until.reset();
  for (int32_t i = 0; i < request.num_answers(); ++i) scheduler_->resume(id + i);
}

void EngineLoop::expire_pauses(TimePoint now) {
  while (!pauses_.empty() && pauses_.begin()->first <= now)
    end(pauses_.begin()->second,
        Status(Code::kResourceExhausted, "the client does not read its stream",
               {.reason = "SLOW_CONSUMER", .retry_after = Seconds(1)}));
}

void EngineLoop::end_all(const Status& status) {
  std::vector<uint64_t> ids;
  for (const auto& [id, request] : requests_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const uint64_t id : ids) end(id, status);
}

// What the coming step could not finish in time is ended before it.
void EngineLoop::expire_deadlines(TimePoint now) {
  if (deadlines_.empty()) return;
  const TimePoint end_of_step =
      now + to_duration(predictor_.step_time(scheduler_->stats().num_running));
  while (!deadlines_.empty() && deadlines_.begin()->first <= end_of_step) {
    const uint64_t id = deadlines_.begin()->second;
    const bool queued = !requests_.at(id)->is_dequeued;
    end(id, queued ? Status(Code::kDeadlineExceeded, "the deadline passed while queued",
                            {.reason = "QUEUE_TIMEOUT"})
                   : Status(Code::kDeadlineExceeded, "the deadline passed during generation",
                            {.reason = "GENERATION_TIMEOUT"}));
  }
}

bool EngineLoop::step() {
  const TimePoint now = clock_.now();
  expire_deadlines(now);
  expire_pauses(now);
  const StepPlan& plan = scheduler_->schedule(now);
  if (plan.empty()) return false;
  notice_admissions(plan, now);
  max_step_seqs_ = std::max(max_step_seqs_, static_cast<int32_t>(plan.sequences.size()));
  if (observer_) observer_->on_step_begin(plan);
  run_step(plan);
  observe_step(plan, now);
  // What ended gives its sequence back; the numbers it leaves behind belong into its last event.
  for (const std::unique_ptr<Sequence>& seq : scheduler_->commit(result_)) {
    for (auto& [id, event] : events_) {
      if (id != seq->id || !event.finished) continue;
      event.finished->timing.num_preemptions = seq->num_preemptions;
      event.finished->timing.num_recomputed_tokens = seq->num_recomputed_tokens;
    }
  }
  // Clients hear of tokens after the scheduler has them: an event never runs ahead of the state.
  send_events();
  ask_demands();
  for (const uint64_t id : prefilled_)
    if (const auto found = requests_.find(id); found != requests_.end())
      schedule_held_answers(*found->second);
  return true;
}

void EngineLoop::notice_admissions(const StepPlan& plan, TimePoint now) {
  for (const ScheduledSequence& s : plan.sequences) {
    Answer& answer = *answers_.at(s.sequence->id);
    if (answer.is_admitted) continue;
    answer.is_admitted = true;
    answer.admitted_at = now;
    answer.usage.cached_tokens = s.sequence->num_cached_tokens;
    LiveRequest& request = *answer.request;
    if (!std::exchange(request.is_dequeued, true)) {
      num_prompt_tokens_ += uint64_t(answer.usage.prompt_tokens);
      if (observer_) observer_->on_dequeued(request.submission);
    }
    if (answer.index == 0) answer.sink().on_admitted(answer.usage.cached_tokens);
  }
}

void EngineLoop::run_step(const StepPlan& plan) {
  events_.clear();
  prefilled_.clear();
  result_.sequences.resize(plan.sequences.size());  // not cleared: their vectors keep their memory
  const MatView<const float> logits = runner_.execute(builder_.build(plan));
  int64_t row = 0;
  for (size_t i = 0; i < plan.sequences.size(); ++i) {
    const ScheduledSequence& scheduled = plan.sequences[i];
    SequenceResult& result = result_.sequences[i];
    result.id = scheduled.sequence->id;
    result.num_kept = scheduled.num_tokens - scheduled.num_draft;
    result.token_ids.clear();
    result.finished = false;
    const int64_t rows = scheduled.num_outputs;
    take_logits(scheduled, {rows ? logits.row(row) : nullptr, rows, logits.cols, logits.stride},
                result);
    row += rows;
  }
}

void EngineLoop::take_logits(const ScheduledSequence& scheduled, MatView<const float> logits,
                             SequenceResult& out) {
  const Sequence& seq = *scheduled.sequence;
  Answer& answer = *answers_.at(seq.id);
  if (answer.reports_prompt()) {
    if (const Status status = report_prompt(answer, scheduled, logits); !status.ok()) {
      out.finished = true;
      events_.emplace_back(out.id, TokenEvent{.finished = FinishedEvent{.status = status}});
      return;
    }
  }
  if (!scheduled.produces_token()) return;  // an unfinished prefill
  const std::vector<int32_t>& drafts = seq.demand.draft_token_ids;
  const auto num_left_out = static_cast<int32_t>(drafts.size()) - scheduled.num_draft;
  const int64_t rows = std::max(answer.num_outputs - num_left_out, 0);
  TERN_CHECK(rows <= logits.rows, "a plan gives the logits that were asked for");
  const ComputedRows computed{
      .output_token_ids = {seq.token_ids.begin() + seq.num_prompt_tokens, seq.token_ids.end()},
      .draft_token_ids = {drafts.data(), size_t(scheduled.num_draft)},
      .logits = {rows ? logits.row(logits.rows - rows) : nullptr, rows, logits.cols,
                 logits.stride}};
  events_.emplace_back(out.id, commit_tokens(answer, computed, out));
}

// Rows of the prompt: each tells of the token after it, the last one of none of the prompt.
Status EngineLoop::report_prompt(Answer& answer, const ScheduledSequence& scheduled,
                                 MatView<const float> logits) {
  const std::vector<int32_t>& tokens = scheduled.sequence->token_ids;
  const int32_t first = answer.num_reported;
  std::vector<TokenLogprobs> logprobs;
  if (first == 0) logprobs.push_back({.chosen = {.token_id = tokens[0]}});
  const int32_t first_row_position =
      scheduled.sequence->num_computed_tokens + scheduled.num_tokens - scheduled.num_outputs;
  for (int64_t row = 0; row < logits.rows; ++row) {
    const int64_t position = first_row_position + row + 1;
    if (position == answer.usage.prompt_tokens) break;
    TERN_ASSIGN(TokenLogprobs of_token,
                compute_logprobs({logits.row(row), size_t(logits.cols)}, tokens[position],
                                 *answer.decode.params.prompt_logprobs));
    logprobs.push_back(std::move(of_token));
  }
  if (logprobs.empty()) return {};
  answer.num_reported += static_cast<int32_t>(logprobs.size());
  answer.sink().on_prompt_logprobs(first, std::move(logprobs));
  return {};
}

TokenEvent EngineLoop::commit_tokens(Answer& answer, const ComputedRows& rows,
                                     SequenceResult& out) {
  TokenEvent event{.index = answer.index};
  if (answer.usage.completion_tokens == 0 && answer.request->holds_answers)
    prefilled_.push_back(answer.request->submission.id);
  if (answer.request->submission.request.prompt_only) {
    out.finished = true;
    event.finished.emplace();
    return event;
  }
  Result<Commit> commit = answer.request->strategy->commit(answer.decode, rows, sampler_);
  if (const auto failure = fail_point("engine.token")) commit = *failure;
  if (!commit.ok()) {
    out.finished = true;
    event.finished = FinishedEvent{.status = commit.status()};
    return event;
  }
  out.num_kept += static_cast<int32_t>(rows.draft_token_ids.size()) - commit->num_rejected;
  out.token_ids.assign(commit->token_ids.begin(), commit->token_ids.end());
  out.finished = commit->finished;
  answer.usage.completion_tokens += static_cast<int32_t>(out.token_ids.size());
  num_generated_tokens_ += out.token_ids.size();
  event.text = std::move(commit->text);
  event.token_ids = std::move(commit->token_ids);
  event.logprobs = std::move(commit->logprobs);
  if (commit->finished)
    event.finished = FinishedEvent{.reason = commit->reason,
                                   .matched_stop = answer.decode.stop.matched().value_or(""),
                                   .matched_stop_token = commit->stop_token};
  return event;
}

// Before the scheduler commits: the plan still tells what was to be computed.
void EngineLoop::observe_step(const StepPlan& plan, TimePoint began) {
  const Seconds took = clock_.now() - began;
  predictor_.observe_step(plan.num_tokens, took);
  const bool is_prefill = std::ranges::any_of(plan.sequences, [](const ScheduledSequence& s) {
    return s.num_tokens - s.num_draft > 1 || s.sequence->num_output_tokens() == 0;
  });
  step_histograms_.tokens.observe(plan.num_tokens);
  (is_prefill ? step_histograms_.prefill_seconds : step_histograms_.decode_seconds)
      .observe(took.count());
}

void EngineLoop::note_sent(Answer& answer, const TokenEvent& event, TimePoint now) {
  if (answer.usage.completion_tokens > 0 && !answer.first_token_at) {
    answer.first_token_at = now;
    if (observer_) observer_->on_first_token(answer.request->submission, now);
  }
  if (event.token_ids.empty()) return;
  if (answer.last_sent_at)
    step_histograms_.token_gap_seconds.observe(to_seconds(now - *answer.last_sent_at));
  answer.last_sent_at = now;
}

void EngineLoop::send_events() {
  const TimePoint now = clock_.now();
  // The last of the plan are the last that were admitted: a first token is what someone waits for.
  for (auto& [id, event] : events_ | std::views::reverse) {
    const auto found = answers_.find(id);
    if (found == answers_.end()) continue;  // another answer's failure has ended it
    Answer& answer = *found->second;
    note_sent(answer, event, now);
    if (!event.finished) {
      answer.sink().on_event(std::move(event));
    } else if (event.finished->status.ok()) {
      finish_answer(id, std::move(event));
    } else {
      const Status status = event.finished->status;
      const uint64_t request_id = answer.request->submission.id;
      finish_answer(id, std::move(event));
      end(request_id, status);
    }
  }
}

void EngineLoop::finish_answer(uint64_t id, TokenEvent event) {
  const auto node = answers_.extract(id);
  const Answer& answer = *node.mapped();
  LiveRequest& request = *answer.request;
  const Submission& submission = request.submission;
  FinishedEvent& finished = *event.finished;
  event.index = answer.index;
  finished.usage = answer.usage;
  const TimePoint now = clock_.now();
  const TimePoint admitted = answer.is_admitted ? answer.admitted_at : now;
  finished.timing.queue = admitted - submission.arrival;
  if (answer.first_token_at) finished.timing.ttft = *answer.first_token_at - submission.arrival;
  finished.timing.e2e = now - submission.arrival;
  if (finished.status.ok() && answer.usage.completion_tokens > 0)
    predictor_.observe_answer(answer.usage.completion_tokens);

  const bool is_last = --request.num_live == 0;
  if (is_last) {
    if (submission.request.deadline)
      deadlines_.erase({*submission.request.deadline, submission.id});
    if (request.paused_until) pauses_.erase({*request.paused_until, submission.id});
    if (observer_ && !request.is_dequeued) observer_->on_dequeued(submission);
    if (observer_) observer_->on_ended(submission);
  }
  submission.sink->on_event(std::move(event));
  if (!is_last) return;
  const uint64_t request_id = submission.id;
  requests_.erase(request_id);
}

void EngineLoop::check_invariants() const {
  scheduler_->check_invariants();
  size_t num_deadlines = 0, num_pauses = 0, num_answers = 0, num_held = 0;
  for (const auto& [id, request] : requests_) {
    const std::optional<TimePoint>& deadline = request->submission.request.deadline;
    num_deadlines += deadline.has_value();
    TERN_CHECK(!deadline || deadlines_.contains({*deadline, id}), "a deadline is watched");
    const std::optional<TimePoint>& pause = request->paused_until;
    num_pauses += pause.has_value();
    TERN_CHECK(!pause || pauses_.contains({*pause, id}), "the end of a pause is watched");
    int32_t num_live = 0;
    for (int32_t i = 0; i < request->num_answers(); ++i) {
      if (!answers_.contains(id + i)) continue;
      ++num_live;
      num_held += request->holds_answers && i > 0;
    }
    TERN_CHECK(num_live > 0 && num_live == request->num_live, "a request's answers are counted");
    num_answers += num_live;
  }
  TERN_CHECK(deadlines_.size() == num_deadlines, "no deadline is left of what has ended");
  TERN_CHECK(pauses_.size() == num_pauses, "no pause is left of what has ended or goes on");
  TERN_CHECK(answers_.size() == num_answers, "an answer belongs to a live request");
  const SchedulerStats stats = scheduler_->stats();
  TERN_CHECK(size_t(stats.num_waiting + stats.num_running) + num_held == num_answers,
             "the scheduler has every answer that is not held");
}

}  // namespace tern
