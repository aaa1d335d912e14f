#include "engine/serve/engine_core.h"

#include <algorithm>

#include "base/check.h"
#include "base/fail_point.h"
#include "engine/serve/check_request.h"

namespace tern {
namespace {

constexpr std::chrono::milliseconds kPausedTick{5};

Status shut_down() {
  return Status(Code::kUnavailable, "the server was shut down", {.reason = "DRAINING"});
}

}  // namespace

EngineCore::EngineCore(ModelAssets assets, const QueueLimits& limits, const Clock& clock,
                       std::unique_ptr<Scheduler> scheduler, std::unique_ptr<ModelRunner> runner,
                       std::span<const StrategyRow> more_strategies)
    : assets_(std::move(assets)),
      clock_(clock),
      runner_(std::move(runner)),
      strategies_(assets_.tokenizer.get(), assets_.info.eos_token_ids, more_strategies),
      loop_(std::move(scheduler), *runner_, strategies_, assets_.info.vocab_size, clock_, this),
      admission_(limits),
      predictor_(loop_.predictor()),
      last_step_end_(clock.now()),
      last_progress_(last_step_end_) {
  publish_stats();
}

Status EngineCore::register_request(uint64_t id, const Request& request) {
  if (stopping_ || draining_)
    return Status(Code::kUnavailable, "the server is shutting down and takes no new requests",
                  {.reason = "DRAINING", .retry_after = Seconds(1)});
  if (live_ids_.contains(request.request_id))
    return Status(Code::kAlreadyExists, "request_id '" + request.request_id + "' is already live",
                  {.reason = "REQUEST_ID_IN_USE"});
  const TimePoint now = clock_.now();
  const AdmissionControl::Decision decision =
      admission_.admit(id, request, now, predictor_, stats_.scheduler);
  if (decision.shed)
    commands_.push_back([this, victim = *decision.shed] {
      loop_.end(victim, Status(Code::kUnavailable, "gave way to a request of a higher class",
                               {.reason = "PREEMPTED_SHED", .retry_after = Seconds(1)}));
    });
  TERN_TRY(decision.status);
  if (live_.empty()) last_progress_ = now;
  if (!request.request_id.empty()) live_ids_.emplace(request.request_id, id);
  live_.emplace(id, Live{{.request_id = request.request_id,
                          .priority = request.priority,
                          .n = request.sampling.n,
                          .prompt_tokens = static_cast<int32_t>(request.prompt_token_ids.size()),
                          .peer = request.peer},
                         request.arrival.value_or(now)});
  ++stats_.num_requests_submitted;
  ++stats_.num_live_requests;
  return {};
}

Result<uint64_t> EngineCore::submit(Request request, std::shared_ptr<TokenSink> sink) {
  TERN_TRY(check_request(assets_.info, assets_.tokenizer.get(), request));
  TERN_TRY(strategies_.find(request.strategy).status());
  if (const auto failure = fail_point("engine.submit")) return *failure;
  request.score = ranking_.score(request);
  const MutexLock lock(mutex_);
  const uint64_t id = next_id_;
  TERN_TRY(register_request(id, request));
  next_id_ += uint64_t(request.sampling.n);
  const TimePoint arrival = request.arrival.value_or(clock_.now());
  arrived_.push_back({id, std::move(request), std::move(sink), arrival});
  wake_.notify_one();
  return id;
}

void EngineCore::post(Command command) {
  {
    const MutexLock lock(mutex_);
    if (!stopped_) {
      commands_.push_back(std::move(command));
      wake_.notify_one();
      return;
    }
  }
  const MutexLock late(late_mutex_);
  command();
}

void EngineCore::cancel(uint64_t id) {
  post([this, id] {
    (void)fail_point("engine.cancel");
    loop_.end(id,
              Status(Code::kCancelled, "cancelled by the client", {.reason = "CLIENT_CANCELLED"}));
  });
}

void EngineCore::pause(uint64_t id, Seconds at_most) {
  post([this, id, at_most] { loop_.pause(id, at_most); });
}

void EngineCore::resume(uint64_t id) {
  post([this, id] { loop_.resume(id); });
}

void EngineCore::abort(std::vector<std::string> request_ids, std::string reason,
                       std::function<void(std::vector<AbortOutcome>)> done) {
  post([this, request_ids = std::move(request_ids), reason = std::move(reason),
        done = std::move(done)] {
    std::vector<AbortOutcome> outcomes;
    for (const std::string& id : request_ids) outcomes.push_back(abort_one(id, reason));
    publish_stats();
    done(std::move(outcomes));
  });
}

AbortOutcome EngineCore::abort_one(const std::string& request_id, const std::string& reason) {
  uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    const auto found = live_ids_.find(request_id);
    if (found == live_ids_.end())
      return ended_ids_.contains(request_id) ? AbortOutcome::kFinished : AbortOutcome::kUnknown;
    id = found->second;
  }
  loop_.end(id, Status(Code::kCancelled, "aborted" + (reason.empty() ? "" : ": " + reason),
                       {.reason = "ABORTED"}));
  return AbortOutcome::kAborted;
}

void EngineCore::flush_prefix_cache(std::function<void(int32_t)> done) {
  post([this, done = std::move(done)] {
    const int32_t num_blocks = loop_.flush_prefix_cache();
    publish_stats();
    done(num_blocks);
  });
}

void EngineCore::reconfigure(const SchedulerConfig& scheduler, const QueueLimits& queue,
                             std::function<void(Status)> done) {
  post([this, scheduler, queue, done = std::move(done)] {
    const Status status = loop_.reconfigure(scheduler);
    if (status.ok()) {
      const MutexLock lock(mutex_);
      admission_.set_limits(queue);
    }
    publish_stats();
    done(status);
  });
}

void EngineCore::use_ranker(std::shared_ptr<const Ranker> ranker) {
  if (!ranking_.use(std::move(ranker))) return;
  post([this] {
    loop_.use_ranker(ranking_.version(),
                     [this](const Request& request) { return ranking_.score(request); });
  });
}

void EngineCore::start_draining() {
  const MutexLock lock(mutex_);
  draining_ = true;
}

void EngineCore::stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
}

EngineStats EngineCore::stats() const {
  const RankerStats ranker = ranking_.stats();
  const MutexLock lock(mutex_);
  EngineStats stats = stats_;
  stats.ranker = ranker;
  const TimePoint now = clock_.now();
  stats.last_step_age = now - last_step_end_;
  if (!live_.empty()) stats.silent = now - last_progress_;
  stats.num_queued_requests = admission_.load().num_requests;
  stats.num_queued_tokens = admission_.load().num_tokens;
  stats.max_queued_requests = admission_.limits().max_queued_requests;
  stats.predicted_queue = predictor_.queue_time(admission_.load(), stats_.scheduler);
  stats.tokens_per_second = token_rate_.per_second(now, stats_.num_generated_tokens);
  return stats;
}

std::vector<RequestState> EngineCore::live_requests() const {
  const MutexLock lock(mutex_);
  const TimePoint now = clock_.now();
  std::vector<RequestState> states;
  for (const auto& [id, live] : live_) {
    states.push_back(live.state);
    states.back().age = now - live.arrival;
  }
  return states;
}

void EngineCore::wait() {
  MutexLock lock(mutex_);
  if (!loop_.has_work()) {
    while (!has_news()) wake_.wait(lock);
  } else if (!stepped_) {  // all that live are paused; deadlines and the ends of pauses go on
    const TimePoint until = std::chrono::steady_clock::now() + kPausedTick;
    while (!has_news() && wake_.wait_until(lock, until)) {
    }
  }
}

bool EngineCore::has_news() const {
  return stopping_ || !arrived_.empty() || !commands_.empty();
}

bool EngineCore::turn() {
  bool stop = false;
  {
    const MutexLock lock(mutex_);
    stop = stopping_;
    taken_.swap(arrived_);
    to_run_.swap(commands_);
  }
  for (Submission& submission : taken_) loop_.add(std::move(submission));
  for (const Command& command : to_run_) command();
  taken_.clear();
  to_run_.clear();
  if (stop) {
    end_all();
    return false;
  }
  if (loop_.has_work())
    if (const auto failure = fail_point("engine.step")) loop_.end_all(*failure);
  stepped_ = loop_.step();
  publish_stats();
  return true;
}

void EngineCore::end_all() {
  loop_.end_all(shut_down());
  publish_stats();
  {
    const MutexLock lock(mutex_);
    to_run_.swap(commands_);
    stopped_ = true;
  }
  for (const Command& command : to_run_) command();
  to_run_.clear();
}

void EngineCore::publish_stats() {
  const SchedulerStats scheduler = loop_.scheduler_stats();
  const MutexLock lock(mutex_);
  stats_.scheduler = scheduler;
  stats_.policy = loop_.policy_name();
  stats_.num_prompt_tokens = loop_.num_prompt_tokens();
  stats_.num_generated_tokens = loop_.num_generated_tokens();
  stats_.steps = loop_.step_histograms();
  stats_.max_step_seqs = loop_.max_step_seqs();
  predictor_ = loop_.predictor();
  last_step_end_ = last_progress_ = clock_.now();
  token_rate_.observe(last_step_end_, stats_.num_generated_tokens);
}

void EngineCore::on_step_begin(const StepPlan& plan) {
  const MutexLock lock(mutex_);
  stats_.expected_step = loop_.predictor().step_time(plan.num_tokens);
  for (const uint64_t id : plan.preempted)
    if (Live* live = live_request_of(id)) live->state.is_preempted = true;
  for (const ScheduledSequence& s : plan.sequences) {
    Live* live = live_request_of(s.sequence->id);
    if (!live) continue;
    RequestState& state = live->state;
    state.is_preempted = false;
    const int32_t computed = s.sequence->num_computed_tokens + s.num_tokens - s.num_draft;
    state.computed_tokens = state.n == 1 ? computed : std::max(state.computed_tokens, computed);
    state.completion_tokens = std::max(state.completion_tokens, s.sequence->num_output_tokens());
  }
}

// Answers have the ids that follow their request's.
EngineCore::Live* EngineCore::live_request_of(uint64_t answer_id) {
  const auto next = live_.upper_bound(answer_id);
  if (next == live_.begin()) return nullptr;
  auto& [id, live] = *std::prev(next);
  return answer_id < id + uint64_t(live.state.n) ? &live : nullptr;
}

void EngineCore::on_first_token(const Submission& submission, TimePoint at) {
  const MutexLock lock(mutex_);
  const auto live = live_.find(submission.id);
  if (live != live_.end() && !live->second.state.ttft)
    live->second.state.ttft = at - submission.arrival;
}

void EngineCore::on_dequeued(const Submission& submission) {
  const MutexLock lock(mutex_);
  admission_.leave(submission.id);
  if (const auto live = live_.find(submission.id); live != live_.end())
    live->second.state.is_queued = false;
}

// An answer that max_tokens has cut, or that was told to go on to it, says nothing of the ranker.
void EngineCore::on_answer(const Sequence& answer) {
  if (answer.has_exact_length || answer.num_output_tokens() >= answer.max_tokens) return;
  ranking_.observe(answer.ranker_version, answer.expected_output_tokens,
                   answer.num_output_tokens());
}

void EngineCore::on_ended(const Submission& submission) {
  publish_stats();  // who hears of the end must not see the request's blocks any more
  const MutexLock lock(mutex_);
  ++stats_.num_requests_finished;
  --stats_.num_live_requests;
  live_.erase(submission.id);
  live_ids_.erase(submission.request.request_id);
  ended_ids_.add(submission.request.request_id);
}

void EngineCore::check_invariants() const {
  loop_.check_invariants();
  const MutexLock lock(mutex_);
  admission_.check_invariants();
  int32_t num_queued = 0;
  size_t num_named = 0;
  for (const auto& [id, live] : live_) {
    num_queued += live.state.is_queued;
    if (live.state.request_id.empty()) continue;
    ++num_named;
    const auto named = live_ids_.find(live.state.request_id);
    TERN_CHECK(named != live_ids_.end() && named->second == id, "a live request has its id");
  }
  TERN_CHECK(live_ids_.size() == num_named, "no id is left of what has ended");
  TERN_CHECK(live_.size() == arrived_.size() + loop_.num_live(), "the loop has what lives");
  TERN_CHECK(size_t(stats_.num_live_requests) == live_.size(), "live requests are counted");
  TERN_CHECK(stats_.num_requests_submitted == stats_.num_requests_finished + live_.size(),
             "accepted = ended + live");
  // One that gives way to another is out of the queue before the command that ends it.
  TERN_CHECK(commands_.empty() ? admission_.load().num_requests == num_queued
                               : admission_.load().num_requests <= num_queued,
             "the queue holds what waits");
}

}  // namespace tern
