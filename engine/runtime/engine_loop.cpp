#include "engine/runtime/engine_loop.h"

#include <algorithm>

namespace tern {

/// A request between add() and its terminal event.
struct EngineLoop::Live {
  Submission submission;
  DecodeState decode;
  bool admitted = false;
  TimePoint admitted_at, first_token_at;
  Usage usage;
};

EngineLoop::EngineLoop(std::unique_ptr<Scheduler> scheduler, ModelRunner& runner,
                       const DecodeStrategy& strategy, int32_t vocab_size, const Clock& clock,
                       RequestObserver* observer)
    : scheduler_(std::move(scheduler)),
      runner_(runner),
      strategy_(strategy),
      clock_(clock),
      observer_(observer),
      builder_(scheduler_->config()),
      sampler_(vocab_size) {}

EngineLoop::~EngineLoop() = default;

void EngineLoop::add(Submission submission) {
  const Request& request = submission.request;
  auto seq = std::make_unique<Sequence>();
  seq->id = submission.id;
  seq->arrival = submission.submitted;
  seq->priority = request.priority;
  seq->cache_salt = request.tenant;
  seq->bypass_prefix_cache = request.bypass_prefix_cache;
  seq->token_ids = request.prompt_token_ids;
  seq->num_prompt_tokens = seq->num_tokens();
  seq->max_tokens = request.sampling.max_tokens;
  seq->token_ids.reserve(size_t(seq->num_prompt_tokens) + size_t(seq->max_tokens));
  const Status status = scheduler_->add(std::move(seq));

  auto live = std::make_unique<Live>();
  live->decode.params = request.sampling;
  live->decode.stop =
      StopMatcher(request.sampling.stop, request.sampling.include_stop_str_in_output);
  live->usage.prompt_tokens = static_cast<int32_t>(request.prompt_token_ids.size());
  if (request.deadline) deadlines_.insert({*request.deadline, submission.id});
  const uint64_t id = submission.id;
  live->submission = std::move(submission);
  live_.emplace(id, std::move(live));
  if (!status.ok()) finish(id, {.finished = FinishedEvent{.status = status}});
}

void EngineLoop::end(uint64_t id, const Status& status) {
  if (!live_.contains(id)) return;
  // Between steps nothing is in flight: the blocks return at once.
  (void)scheduler_->abort(id);
  finish(id, {.finished = FinishedEvent{.status = status}});
}

void EngineLoop::end_all(const Status& status) {
  std::vector<uint64_t> ids;
  for (const auto& [id, live] : live_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const uint64_t id : ids) end(id, status);
}

void EngineLoop::expire_deadlines(TimePoint now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const uint64_t id = deadlines_.begin()->second;
    const bool queued = !live_.at(id)->admitted;
    end(id, Status(Code::kDeadlineExceeded,
                   queued ? "deadline passed while queued" : "deadline passed during generation"));
  }
}

bool EngineLoop::step() {
  const TimePoint now = clock_.now();
  expire_deadlines(now);
  const StepPlan& plan = scheduler_->schedule(now);
  if (plan.empty()) return has_work();
  notice_admissions(plan, now);
  max_step_seqs_ = std::max(max_step_seqs_, static_cast<int32_t>(plan.sequences.size()));

  num_logits_rows_.clear();
  for (const ScheduledSequence& s : plan.sequences)
    num_logits_rows_.push_back(strategy_.num_logits_rows(s));
  const MatView<const float> logits = runner_.execute(builder_.build(plan, num_logits_rows_));

  result_.sequences.clear();
  events_.clear();
  int64_t row = 0;
  for (size_t i = 0; i < plan.sequences.size(); ++i) {
    const int64_t rows = num_logits_rows_[i];
    commit_sequence(plan.sequences[i],
                    {rows ? logits.row(row) : nullptr, rows, logits.cols, logits.stride});
    row += rows;
  }
  // What ended gives its sequence back; the numbers it leaves behind belong into its last event.
  for (const std::unique_ptr<Sequence>& seq : scheduler_->commit(result_)) {
    for (auto& [id, event] : events_) {
      if (id != seq->id || !event.finished) continue;
      event.finished->timing.num_preemptions = seq->num_preemptions;
      event.finished->timing.num_recomputed_tokens = seq->num_recomputed_tokens;
    }
  }
  // Clients hear of tokens after the scheduler has them: an event never runs ahead of the state.
  for (auto& [id, event] : events_) {
    if (event.finished) {
      finish(id, std::move(event));
    } else {
      live_.at(id)->submission.sink->on_event(std::move(event));
    }
  }
  return has_work();
}

void EngineLoop::notice_admissions(const StepPlan& plan, TimePoint now) {
  for (const ScheduledSequence& s : plan.sequences) {
    Live& live = *live_.at(s.sequence->id);
    if (live.admitted) continue;
    live.admitted = true;
    live.admitted_at = now;
    live.usage.cached_tokens = s.sequence->num_cached_tokens;
    if (observer_) observer_->on_dequeued(live.submission);
    live.submission.sink->on_admitted(live.usage.cached_tokens);
  }
}

void EngineLoop::commit_sequence(const ScheduledSequence& scheduled, MatView<const float> logits) {
  SequenceResult& out = result_.sequences.emplace_back();
  out.id = scheduled.sequence->id;
  if (logits.rows == 0) return;  // an unfinished prefill

  Live& live = *live_.at(out.id);
  Result<Commit> commit = strategy_.commit(live.decode, logits, sampler_);
  TokenEvent event;
  if (!commit.ok()) {
    out.finished = true;
    event.finished = FinishedEvent{.status = commit.status()};
  } else {
    out.token_ids = std::move(commit->token_ids);
    out.finished = commit->finished;
    if (live.usage.completion_tokens == 0) live.first_token_at = clock_.now();
    live.usage.completion_tokens += static_cast<int32_t>(out.token_ids.size());
    num_generated_tokens_ += out.token_ids.size();
    event.text = std::move(commit->text);
    event.token_ids = std::move(commit->shown_token_ids);
    if (commit->finished)
      event.finished = FinishedEvent{.reason = commit->reason,
                                     .matched_stop = live.decode.stop.matched().value_or(""),
                                     .matched_stop_token = commit->stop_token};
  }
  events_.emplace_back(out.id, std::move(event));
}

void EngineLoop::finish(uint64_t id, TokenEvent event) {
  const auto node = live_.extract(id);
  const Live& live = *node.mapped();
  const Submission& submission = live.submission;
  if (submission.request.deadline) deadlines_.erase({*submission.request.deadline, id});
  FinishedEvent& finished = *event.finished;
  finished.usage = live.usage;
  const TimePoint now = clock_.now();
  const TimePoint admitted = live.admitted ? live.admitted_at : now;
  finished.timing.queue = admitted - submission.submitted;
  if (live.usage.completion_tokens > 0)
    finished.timing.ttft = live.first_token_at - submission.submitted;
  finished.timing.e2e = now - submission.submitted;
  if (observer_) {
    if (!live.admitted) observer_->on_dequeued(submission);
    observer_->on_ended(submission, finished);
  }
  submission.sink->on_event(std::move(event));
}

}  // namespace tern
