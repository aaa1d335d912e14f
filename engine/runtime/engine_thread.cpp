#include "engine/runtime/engine_thread.h"

#include <algorithm>

namespace tern {
namespace {

Status too_long(int64_t prompt, int64_t max_tokens, int64_t limit) {
  return Status(Code::kOutOfRange, "prompt of " + std::to_string(prompt) + " tokens + max_tokens " +
                                       std::to_string(max_tokens) + " exceeds the context of " +
                                       std::to_string(limit) + " tokens");
}

// The ids of each spelling: a word in a text has a space in front more often than not.
Status spell_bad_words(const Tokenizer& tokenizer, SamplingParams& sampling) {
  for (const std::string& word : sampling.bad_words) {
    const std::string bare = word.substr(std::min(word.find_first_not_of(' '), word.size()));
    for (const std::string& spelling : {bare, " " + bare}) {
      if (spelling.empty()) continue;  // of a word that is all spaces
      Result<std::vector<int32_t>> ids = tokenizer.encode(spelling, {.add_special_tokens = false});
      if (!ids.ok()) return ids.status().with_context("bad_words: '" + word + "'");
      if (ids->empty()) return invalid_argument("bad_words: '" + word + "' is no token");
      sampling.bad_word_token_ids.push_back(*std::move(ids));
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Engine>> EngineThread::start(ModelAssets assets,
                                                    const SchedulerConfig& scheduler_config,
                                                    const QueueLimits& limits, const Clock& clock,
                                                    std::unique_ptr<ModelRunner> runner) {
  TERN_ASSIGN(std::unique_ptr<Scheduler> scheduler, Scheduler::create(scheduler_config));
  std::unique_ptr<EngineThread> engine(
      new EngineThread(std::move(assets), limits, clock, std::move(scheduler), std::move(runner)));
  engine->publish_stats();
  engine->thread_ = std::thread([e = engine.get()] { e->run(); });
  return std::unique_ptr<Engine>(std::move(engine));
}

EngineThread::EngineThread(ModelAssets assets, const QueueLimits& limits, const Clock& clock,
                           std::unique_ptr<Scheduler> scheduler,
                           std::unique_ptr<ModelRunner> runner)
    : assets_(std::move(assets)),
      limits_(limits),
      clock_(clock),
      runner_(std::move(runner)),
      strategy_(make_autoregressive(assets_.tokenizer.get(), assets_.info.eos_token_ids)),
      loop_(std::move(scheduler), *runner_, *strategy_, assets_.info.vocab_size, clock_, this),
      last_step_(clock.now()) {}

EngineThread::~EngineThread() {
  shutdown();
}

Status EngineThread::check(Request& request) const {
  request.sampling.bad_word_token_ids.clear();  // ours to fill in
  TERN_TRY(request.sampling.validate());
  const ModelInfo& info = assets_.info;
  const int64_t prompt = static_cast<int64_t>(request.prompt_token_ids.size());
  if (prompt == 0) return invalid_argument("prompt: must hold at least one token");
  if (prompt >= info.max_model_len)
    return too_long(prompt, std::max(request.sampling.max_tokens, 1), info.max_model_len);
  if (request.sampling.max_tokens == 0)
    request.sampling.max_tokens = static_cast<int32_t>(info.max_model_len - prompt);
  if (prompt + request.sampling.max_tokens > info.max_model_len)
    return too_long(prompt, request.sampling.max_tokens, info.max_model_len);
  TERN_TRY(request.sampling.validate());  // min_tokens, too, now that max_tokens is known
  TERN_TRY(request.sampling.validate_ids(info.vocab_size));
  for (size_t i = 0; i < request.prompt_token_ids.size(); ++i) {
    const int32_t id = request.prompt_token_ids[i];
    if (id < 0 || id >= info.vocab_size)
      return invalid_argument("prompt token " + std::to_string(i) + ": id " + std::to_string(id) +
                              " is outside the vocabulary of " + std::to_string(info.vocab_size));
  }
  if (!request.sampling.stop.empty() && assets_.tokenizer == nullptr)
    return invalid_argument("stop: the model has no tokenizer, so there is no text to match");
  if (request.sampling.bad_words.empty()) return {};
  if (assets_.tokenizer == nullptr)
    return invalid_argument("bad_words: the model has no tokenizer to spell them");
  return spell_bad_words(*assets_.tokenizer, request.sampling);
}

// Called with mutex_ held.
Status EngineThread::reserve_queue_place(const Request& request) {
  if (stopping_ || draining_)
    return Status(Code::kUnavailable, "the server is shutting down and takes no new requests");
  const int64_t tokens = static_cast<int64_t>(request.prompt_token_ids.size());
  if (num_queued_requests_ >= limits_.max_queued_requests)
    return Status(Code::kResourceExhausted, "queue full: " + std::to_string(num_queued_requests_) +
                                                " requests wait, the limit is " +
                                                std::to_string(limits_.max_queued_requests));
  // One request is always let in: a limit below a long prompt must not lock it out for ever.
  if (num_queued_requests_ > 0 && num_queued_tokens_ + tokens > limits_.max_queued_tokens)
    return Status(Code::kResourceExhausted, "queue full: " + std::to_string(num_queued_tokens_) +
                                                " prompt tokens wait, the limit is " +
                                                std::to_string(limits_.max_queued_tokens));
  if (!request.request_id.empty() && !live_request_ids_.insert(request.request_id).second)
    return Status(Code::kAlreadyExists, "request_id '" + request.request_id + "' is already live");
  ++num_queued_requests_;
  num_queued_tokens_ += tokens;
  ++stats_.num_requests_submitted;
  ++stats_.num_live_requests;
  return {};
}

Result<uint64_t> EngineThread::submit(Request request, std::shared_ptr<TokenSink> sink) {
  TERN_TRY(check(request));
  const std::lock_guard lock(mutex_);
  TERN_TRY(reserve_queue_place(request));
  const uint64_t id = next_id_;
  next_id_ += uint64_t(request.sampling.n);
  arrived_.push_back({id, std::move(request), std::move(sink), clock_.now()});
  wake_.notify_one();
  return id;
}

void EngineThread::cancel(uint64_t id) {
  const std::lock_guard lock(mutex_);
  cancelled_.push_back(id);
  wake_.notify_one();
}

void EngineThread::start_draining() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

void EngineThread::shutdown() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

EngineStats EngineThread::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.last_step_age = clock_.now() - last_step_;
  return stats;
}

void EngineThread::run() {
  runner_->bind_thread();
  std::deque<Submission> arrived;
  std::vector<uint64_t> cancelled;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!loop_.has_work())
        wake_.wait(lock, [&] { return stopping_ || !arrived_.empty() || !cancelled_.empty(); });
      if (stopping_) break;
      arrived.swap(arrived_);
      cancelled.swap(cancelled_);
    }
    for (Submission& submission : arrived) loop_.add(std::move(submission));
    for (const uint64_t id : cancelled)
      loop_.end(id, Status(Code::kCancelled, "cancelled by the client"));
    arrived.clear();
    cancelled.clear();
    loop_.step();
    publish_stats();
  }
  // Requests that arrived together with the stop have been promised a terminal event too.
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(arrived_);
  }
  for (Submission& submission : arrived) loop_.add(std::move(submission));
  loop_.end_all(Status(Code::kUnavailable, "the server was shut down"));
  publish_stats();
}

void EngineThread::publish_stats() {
  const SchedulerStats scheduler = loop_.scheduler_stats();
  const std::lock_guard lock(mutex_);
  stats_.scheduler = scheduler;
  stats_.num_generated_tokens = loop_.num_generated_tokens();
  stats_.max_step_seqs = loop_.max_step_seqs();
  last_step_ = clock_.now();
}

void EngineThread::on_dequeued(const Submission& submission) {
  const std::lock_guard lock(mutex_);
  --num_queued_requests_;
  num_queued_tokens_ -= static_cast<int64_t>(submission.request.prompt_token_ids.size());
}

void EngineThread::on_ended(const Submission& submission) {
  publish_stats();  // who hears of the end must not see the request's blocks any more
  const std::lock_guard lock(mutex_);
  ++stats_.num_requests_finished;
  --stats_.num_live_requests;
  live_request_ids_.erase(submission.request.request_id);
}

}  // namespace tern
