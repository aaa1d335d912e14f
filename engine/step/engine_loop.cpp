#include "engine/step/engine_loop.h"

#include <algorithm>
#include <ranges>

#include "base/check.h"
#include "base/fail_point.h"

namespace tern {

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
  LiveRequest& request = book_.add(std::move(submission));
  request.holds_answers = request.num_answers() > 1 && scheduler_->config().enable_prefix_caching &&
                          !request.submission.request.bypass_prefix_cache;
  const Result<const DecodeStrategy*> strategy =
      strategies_.find(request.submission.request.strategy);
  request.strategy = strategy.ok() ? *strategy : *strategies_.find(kDefaultStrategy);
  for (int32_t i = 0; i < request.num_answers(); ++i) add_answer(request, i);
  if (!strategy.ok()) return end(id, strategy.status());
  const int32_t num_scheduled = request.holds_answers ? 1 : request.num_answers();
  for (int32_t i = 0; i < num_scheduled; ++i)
    if (const Status status = schedule_answer(book_.answer(id + i)); !status.ok())
      return end(id, status);
}

void EngineLoop::add_answer(LiveRequest& request, int32_t index) {
  const Request& in = request.submission.request;
  LiveAnswer& answer = book_.add_answer(request, index);
  answer.decode = request.strategy->start(in.sampling, in.prompt_token_ids);
  answer.decode.params.seed += uint64_t(index);
  if (index > 0) answer.decode.params.prompt_logprobs.reset();  // the prompt is the same
  answer.usage.prompt_tokens = static_cast<int32_t>(in.prompt_token_ids.size());
}

Status EngineLoop::schedule_answer(LiveAnswer& answer) {
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
  seq->tenant = request.tenant;
  if (request.hinted_output_tokens) seq->hinted_output_tokens = *request.hinted_output_tokens;
  const SamplingParams& sampling = request.sampling;
  seq->has_exact_length =
      sampling.ignore_eos && sampling.stop.empty() && sampling.stop_token_ids.empty();
  seq->expected_output_tokens = request.score.expected_tokens;
  seq->ranker_version = request.score.ranker_version;
  seq->token_ids.reserve(size_t(seq->num_prompt_tokens) + size_t(seq->max_tokens));
  answer.sequence = seq.get();
  ask_demand(answer);
  return scheduler_->add(std::move(seq));
}

void EngineLoop::use_ranker(uint64_t version,
                            const std::function<LengthScore(const Request&)>& score) {
  scheduler_->use_ranker(version);
  for (const uint64_t id : book_.request_ids()) {
    LiveRequest& request = *book_.find(id);
    request.submission.request.score = score(request.submission.request);
    const LengthScore& own = request.submission.request.score;
    for (int32_t i = 0; i < request.num_answers(); ++i)
      scheduler_->rescore(id + uint64_t(i), own.expected_tokens, own.ranker_version);
  }
}

// Between commit() and schedule(), while the sequence's demand is the default.
void EngineLoop::ask_demand(LiveAnswer& answer) {
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
    if (LiveAnswer* answer = book_.find_answer(result.id)) ask_demand(*answer);
}

void EngineLoop::schedule_held_answers(LiveRequest& request) {
  if (!request.holds_answers) return;
  request.holds_answers = false;
  const uint64_t id = request.submission.id;
  for (int32_t i = 1; i < request.num_answers(); ++i)
    if (const Status status = schedule_answer(book_.answer(id + i)); !status.ok())
      return end(id, status);
}

void EngineLoop::end(uint64_t id, const Status& status) {
  const LiveRequest* request = book_.find(id);
  if (!request) return;
  const int32_t num_answers = request->num_answers();  // the last one takes the request away
  for (int32_t i = 0; i < num_answers; ++i) {
    if (!book_.find_answer(id + i)) continue;
    // Between steps nothing is in flight: the blocks return at once.
    (void)scheduler_->abort(id + i);
    finish_answer(id + i, {.finished = FinishedEvent{.status = status}});
  }
}

void EngineLoop::pause(uint64_t id, Seconds at_most) {
  LiveRequest* request = book_.find(id);
  if (!request || request->paused_until) return;
  book_.pause(*request, clock_.now() + to_duration(at_most));
  for (int32_t i = 0; i < request->num_answers(); ++i) scheduler_->pause(id + i);
}

void EngineLoop::resume(uint64_t id) {
  LiveRequest* request = book_.find(id);
  if (!request || !request->paused_until) return;
  book_.resume(*request);
  for (int32_t i = 0; i < request->num_answers(); ++i) scheduler_->resume(id + i);
}

void EngineLoop::expire_pauses(TimePoint now) {
  while (const LiveRequest* request = book_.first_pause_end(now))
    end(request->submission.id,
        Status(Code::kResourceExhausted, "the client does not read its stream",
               {.reason = "SLOW_CONSUMER", .retry_after = Seconds(1)}));
}

void EngineLoop::end_all(const Status& status) {
  for (const uint64_t id : book_.request_ids()) end(id, status);
}

// What the coming step could not finish in time is ended before it.
void EngineLoop::expire_deadlines(TimePoint now) {
  if (!book_.watches_deadlines()) return;
  const TimePoint end_of_step =
      now + to_duration(predictor_.step_time(scheduler_->stats().num_running));
  while (const LiveRequest* request = book_.first_deadline(end_of_step)) {
    const uint64_t id = request->submission.id;
    const bool queued = !request->is_dequeued;
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
      if (observer_ && event.finished->status.ok()) observer_->on_answer(*seq);
      event.finished->timing.num_preemptions = seq->num_preemptions;
      event.finished->timing.num_recomputed_tokens = seq->num_recomputed_tokens;
    }
  }
  // Clients hear of tokens after the scheduler has them: an event never runs ahead of the state.
  send_events();
  ask_demands();
  for (const uint64_t id : prefilled_)
    if (LiveRequest* request = book_.find(id)) schedule_held_answers(*request);
  return true;
}

void EngineLoop::notice_admissions(const StepPlan& plan, TimePoint now) {
  for (const ScheduledSequence& s : plan.sequences) {
    LiveAnswer& answer = book_.answer(s.sequence->id);
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
  row_requests_.clear();
  first_requests_.clear();
  int32_t row = 0;
  for (const ScheduledSequence& scheduled : plan.sequences) {
    first_requests_.push_back(row_requests_.size());
    request_rows(scheduled, row);
    row += scheduled.num_outputs;
  }
  first_requests_.push_back(row_requests_.size());
  runner_.launch(builder_.build(plan), row_requests_);
  StepOutput& output = runner_.wait();
  for (size_t i = 0; i < plan.sequences.size(); ++i) {
    const ScheduledSequence& scheduled = plan.sequences[i];
    SequenceResult& result = result_.sequences[i];
    result.id = scheduled.sequence->id;
    result.num_kept = scheduled.num_tokens - scheduled.num_draft;
    result.token_ids.clear();
    result.finished = false;
    take_output(scheduled, output, {first_requests_[i], first_requests_[i + 1]}, result);
  }
}

// The answer's own rows are the last of the sequence's.
PlannedRows EngineLoop::plan_rows(const ScheduledSequence& scheduled, const LiveAnswer& answer,
                                  int32_t first_row) const {
  const Sequence& seq = *scheduled.sequence;
  const std::vector<int32_t>& drafts = seq.demand.draft_token_ids;
  const auto num_left_out = static_cast<int32_t>(drafts.size()) - scheduled.num_draft;
  const int32_t rows = std::max(answer.num_outputs - num_left_out, 0);
  TERN_CHECK(rows <= scheduled.num_outputs, "a plan gives the logits that were asked for");
  return {.output_token_ids = {seq.token_ids.begin() + seq.num_prompt_tokens, seq.token_ids.end()},
          .draft_token_ids = {drafts.data(), size_t(scheduled.num_draft)},
          .first_row = first_row + scheduled.num_outputs - rows,
          .num_rows = rows,
          .vocab_size = vocab_size_};
}

void EngineLoop::request_rows(const ScheduledSequence& scheduled, int32_t first_row) {
  LiveAnswer& answer = book_.answer(scheduled.sequence->id);
  const size_t before = row_requests_.size();
  if (answer.reports_prompt()) request_prompt_rows(scheduled, answer, first_row);
  answer.num_requested = static_cast<int32_t>(row_requests_.size() - before);
  const LiveRequest& request = *answer.request;
  if (!scheduled.produces_token() || request.submission.request.prompt_only) return;
  request.strategy->request_rows(answer.decode, plan_rows(scheduled, answer, first_row),
                                 row_requests_);
}

// Rows of the prompt: each tells of the token after it, the last one of none of the prompt.
void EngineLoop::request_prompt_rows(const ScheduledSequence& scheduled, const LiveAnswer& answer,
                                     int32_t first_row) {
  const Sequence& seq = *scheduled.sequence;
  const int32_t first_position =
      seq.num_computed_tokens + scheduled.num_tokens - scheduled.num_outputs + 1;
  const int32_t end = std::min(first_position + scheduled.num_outputs, answer.usage.prompt_tokens);
  for (int32_t position = first_position; position < end; ++position)
    row_requests_.push_back({.row = first_row + position - first_position,
                             .known_token_id = seq.token_ids[size_t(position)],
                             .num_logprobs = *answer.decode.params.prompt_logprobs});
}

void EngineLoop::take_output(const ScheduledSequence& scheduled, StepOutput& output,
                             RequestRange requests, SequenceResult& out) {
  const Sequence& seq = *scheduled.sequence;
  LiveAnswer& answer = book_.answer(seq.id);
  if (answer.reports_prompt()) {
    const RequestRange of_prompt{requests.begin, requests.begin + size_t(answer.num_requested)};
    if (const Status status = report_prompt(answer, seq, output, of_prompt); !status.ok()) {
      out.finished = true;
      events_.emplace_back(out.id, TokenEvent{.finished = FinishedEvent{.status = status}});
      return;
    }
  }
  if (!scheduled.produces_token()) return;  // an unfinished prefill
  const PlannedRows planned = plan_rows(scheduled, answer, 0);
  const size_t first = requests.begin + size_t(answer.num_requested);
  const size_t count = requests.end - first;
  const SampledRows rows{.output_token_ids = planned.output_token_ids,
                         .draft_token_ids = planned.draft_token_ids,
                         .statuses = {output.statuses.data() + first, count},
                         .token_ids = {output.token_ids.data() + first, count},
                         .logprobs = {output.logprobs.data() + first, count}};
  events_.emplace_back(out.id, commit_tokens(answer, rows, out));
}

Status EngineLoop::report_prompt(LiveAnswer& answer, const Sequence& seq, StepOutput& output,
                                 RequestRange requests) {
  const int32_t first = answer.num_reported;
  std::vector<TokenLogprobs> logprobs;
  if (first == 0) logprobs.push_back({.chosen = {.token_id = seq.token_ids[0]}});
  for (size_t i = requests.begin; i < requests.end; ++i) {
    TERN_TRY(output.statuses[i]);
    logprobs.push_back(std::move(output.logprobs[i]));
  }
  if (logprobs.empty()) return {};
  answer.num_reported += static_cast<int32_t>(logprobs.size());
  answer.sink().on_prompt_logprobs(first, std::move(logprobs));
  return {};
}

TokenEvent EngineLoop::commit_tokens(LiveAnswer& answer, const SampledRows& rows,
                                     SequenceResult& out) {
  TokenEvent event{.index = answer.index};
  if (answer.usage.completion_tokens == 0 && answer.request->holds_answers)
    prefilled_.push_back(answer.request->submission.id);
  if (answer.request->submission.request.prompt_only) {
    out.finished = true;
    event.finished.emplace();
    return event;
  }
  Result<Commit> commit = answer.request->strategy->commit(answer.decode, rows);
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

void EngineLoop::note_sent(LiveAnswer& answer, const TokenEvent& event, TimePoint now) {
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
    LiveAnswer* found = book_.find_answer(id);
    if (!found) continue;  // another answer's failure has ended it
    LiveAnswer& answer = *found;
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
  const std::unique_ptr<LiveAnswer> closed = book_.close_answer(id);
  const LiveAnswer& answer = *closed;
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

  const bool is_last = request.num_live == 0;
  if (is_last && observer_) {
    if (!request.is_dequeued) observer_->on_dequeued(submission);
    observer_->on_ended(submission);
  }
  submission.sink->on_event(std::move(event));
  if (is_last) book_.erase(request);
}

void EngineLoop::check_invariants() const {
  scheduler_->check_invariants();
  book_.check_invariants();
  const SchedulerStats stats = scheduler_->stats();
  TERN_CHECK(size_t(stats.num_waiting + stats.num_running) == book_.num_scheduled_answers(),
             "the scheduler has every answer that is not held");
}

}  // namespace tern
