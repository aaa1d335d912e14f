#include "server/http/answers.h"

#include <algorithm>
#include <utility>

#include "base/mutex.h"
#include "server/api/event_queue.h"

namespace tern::http {

struct Answers::Mailbox {
  Mutex mutex;
  CondVar changed;
  int num_open TERN_GUARDED_BY(mutex) = 0;  // prompts
  std::optional<ApiError> error TERN_GUARDED_BY(mutex);
};

// One prompt's: the engine holds it until its last event.
class Answers::Sink final : public TokenSink {
 public:
  Sink(ServingState& state, const Caller& caller, std::shared_ptr<Mailbox> mailbox, int32_t prompt)
      : call_(state, Transport::kHttp, caller),
        queue_(call_, state.limits, state.streams),
        mailbox_(std::move(mailbox)),
        prompt_(prompt) {}

  Call& call() { return call_; }
  EventQueue& queue() { return queue_; }  // under the mailbox's mutex
  const std::vector<TokenLogprobs>& prompt_logprobs() const { return prompt_logprobs_; }

  // All that has come, one delta an answer. Under the mailbox's mutex, on the thread that fetches.
  void take_all(std::vector<ChoiceDelta>* out) {
    while (std::optional<StreamEvent> event = queue_.take(/*ended=*/true)) {
      if (auto* prompt = std::get_if<PromptTokens>(&*event)) {
        append(std::move(prompt->logprobs), &prompt_logprobs_);
      } else if (auto* delta = std::get_if<AnswerDelta>(&*event)) {
        out->push_back({.prompt = prompt_,
                        .index = delta->index,
                        .text = std::move(delta->text),
                        .token_ids = std::move(delta->token_ids),
                        .logprobs = std::move(delta->logprobs)});
      } else if (const auto* finished = std::get_if<AnswerFinished>(&*event)) {
        delta_of(finished->index, out).finished = to_wire(finished->event, finished->index);
      }
    }
  }

  // Engine thread.
  void on_prompt_logprobs(int32_t first, std::vector<TokenLogprobs> logprobs) override {
    const MutexLock lock(mailbox_->mutex);
    queue_.add_prompt_logprobs(first, std::move(logprobs));
  }

  void on_event(TokenEvent event) override {
    const bool last = event.finished && call_.finish(event);
    const MutexLock lock(mailbox_->mutex);
    queue_.add(std::move(event));
    if (last) {
      --mailbox_->num_open;
      if (call_.error() && !mailbox_->error) mailbox_->error = call_.error();
    }
    mailbox_->changed.notify_one();
  }

 private:
  // An answer's last tokens and its end come in one delta.
  ChoiceDelta& delta_of(int32_t index, std::vector<ChoiceDelta>* all) const {
    const auto mine = std::find_if(all->begin(), all->end(), [&](const ChoiceDelta& delta) {
      return delta.prompt == prompt_ && delta.index == index;
    });
    if (mine != all->end()) return *mine;
    return all->emplace_back(ChoiceDelta{.prompt = prompt_, .index = index});
  }

  Call call_;
  // Guarded by the mailbox's mutex, which clang cannot check: it is that of all sinks.
  EventQueue queue_;
  const std::shared_ptr<Mailbox> mailbox_;
  const int32_t prompt_;
  std::vector<TokenLogprobs> prompt_logprobs_;  // of the thread that fetches
};

Answers::Answers() : mailbox_(std::make_shared<Mailbox>()) {}

Answers::~Answers() {
  cancel();
}

std::optional<ApiError> Answers::submit(ServingState& state,
                                        const std::vector<v1::GenerateRequest>& in,
                                         bool prompt_only,
                                         const std::optional<TimePoint>& deadline,
                                         const Caller& caller) {
  for (const v1::GenerateRequest& request : in) {
    auto sink = std::make_shared<Sink>(state, caller, mailbox_, num_prompts());
    const auto convert = [&](const Engine& engine, GenerateCall* out) {
      out->request.prompt_only = prompt_only;
      return to_call(request, engine, state.limits, out);
    };
    {
      const MutexLock lock(mailbox_->mutex);
      ++mailbox_->num_open;
    }
    if (auto error = sink->call().submit(convert, deadline, sink)) return error;
    {
      const MutexLock lock(mailbox_->mutex);
      sink->queue().start();
    }
    sinks_.push_back(std::move(sink));
  }
  return {};
}

std::vector<ChoiceDelta> Answers::fetch(Seconds timeout) {
  MutexLock lock(mailbox_->mutex);
  const TimePoint until = std::chrono::steady_clock::now() + to_duration(timeout);
  while (!has_events() && mailbox_->num_open > 0 && mailbox_->changed.wait_until(lock, until)) {
  }
  std::vector<ChoiceDelta> deltas;
  for (const auto& sink : sinks_) sink->take_all(&deltas);
  return deltas;
}

// Under the mailbox's mutex.
bool Answers::has_events() const {
  return std::any_of(sinks_.begin(), sinks_.end(),
                     [](const auto& sink) { return !sink->queue().empty(); });
}

bool Answers::done() const {
  const MutexLock lock(mailbox_->mutex);
  return mailbox_->num_open == 0 && !has_events();
}

std::optional<ApiError> Answers::error() const {
  const MutexLock lock(mailbox_->mutex);
  return mailbox_->error;
}

void Answers::cancel() {
  for (const auto& sink : sinks_) sink->call().cancel();
}

int32_t Answers::num_prompts() const {
  return static_cast<int32_t>(sinks_.size());
}

int32_t Answers::n() const {
  return sinks_[0]->call().request().n;
}

const v1::Accepted& Answers::accepted(int32_t prompt) const {
  return sinks_[prompt]->call().request().accepted;
}

const std::vector<TokenLogprobs>& Answers::prompt_logprobs(int32_t prompt) const {
  return sinks_[prompt]->prompt_logprobs();
}

const Tokenizer* Answers::tokenizer() const {
  return sinks_[0]->call().tokenizer();
}

}  // namespace tern::http
