#include "server/http/answers.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace tern::http {

struct Answers::Mailbox {
  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by mutex.
  std::vector<Delta> deltas;
  int num_open = 0;  // prompts
  std::optional<ApiError> error;
};

// One prompt's: the engine holds it until its last event.
class Answers::Sink final : public TokenSink {
 public:
  Sink(ServingState& state, const Caller& caller, std::shared_ptr<Mailbox> mailbox, int32_t prompt)
      : call_(state, Transport::kHttp, caller),
        counters_(state.streams),
        max_buffered_(state.limits.max_buffered_tokens),
        mailbox_(std::move(mailbox)),
        prompt_(prompt) {}

  // Under the mailbox's mutex: from here on a slow reader pauses the request, and fetched() lets it
  // go on.
  void set_submitted() { is_submitted_ = true; }
  void fetched() {
    num_buffered_ = 0;
    if (std::exchange(is_paused_, false)) call_.resume();
  }

  Call& call() { return call_; }
  const std::vector<TokenLogprobs>& prompt_logprobs() const { return prompt_logprobs_; }

  // Engine thread.
  void on_prompt_logprobs(int32_t, std::vector<TokenLogprobs> logprobs) override {
    append(std::move(logprobs), &prompt_logprobs_);
  }

  void on_event(TokenEvent event) override {
    const bool last = event.finished && call_.finish(event);
    std::lock_guard lock(mailbox_->mutex);
    Delta& delta = open_delta(event.index);
    delta.text += event.text;
    num_buffered_ += static_cast<int64_t>(event.token_ids.size());
    if (is_submitted_ && !event.finished && !is_paused_ && num_buffered_ > max_buffered_) {
      is_paused_ = true;
      call_.pause();
    }
    append(std::move(event.token_ids), &delta.token_ids);
    append(std::move(event.logprobs), &delta.logprobs);
    if (event.finished && event.finished->status.ok())
      delta.finished = to_wire(*event.finished, event.index);
    if (last) {
      --mailbox_->num_open;
      if (call_.error() && !mailbox_->error) mailbox_->error = call_.error();
    }
    mailbox_->changed.notify_one();
  }

 private:
  Delta& open_delta(int32_t index) {
    std::vector<Delta>& deltas = mailbox_->deltas;
    const auto mine = std::find_if(deltas.begin(), deltas.end(), [&](const Delta& delta) {
      return delta.prompt == prompt_ && delta.index == index;
    });
    if (mine == deltas.end()) return deltas.emplace_back(Delta{.prompt = prompt_, .index = index});
    counters_.num_coalesced.fetch_add(1, std::memory_order_relaxed);
    return *mine;
  }

  Call call_;
  StreamCounters& counters_;
  const int64_t max_buffered_;  // tokens
  // Guarded by the mailbox's mutex.
  int64_t num_buffered_ = 0;
  bool is_submitted_ = false;
  bool is_paused_ = false;
  const std::shared_ptr<Mailbox> mailbox_;
  const int32_t prompt_;
  std::vector<TokenLogprobs> prompt_logprobs_;  // written before, read after the first Delta
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
      std::lock_guard lock(mailbox_->mutex);
      ++mailbox_->num_open;
    }
    if (auto error = sink->call().submit(convert, deadline, sink)) return error;
    {
      std::lock_guard lock(mailbox_->mutex);
      sink->set_submitted();
    }
    sinks_.push_back(std::move(sink));
  }
  return {};
}

std::vector<Delta> Answers::fetch(Seconds timeout) {
  std::unique_lock lock(mailbox_->mutex);
  mailbox_->changed.wait_for(lock, to_duration(timeout), [this] {
    return !mailbox_->deltas.empty() || mailbox_->num_open == 0;
  });
  for (const auto& sink : sinks_) sink->fetched();
  return std::exchange(mailbox_->deltas, {});
}

bool Answers::done() const {
  std::lock_guard lock(mailbox_->mutex);
  return mailbox_->num_open == 0 && mailbox_->deltas.empty();
}

std::optional<ApiError> Answers::error() const {
  std::lock_guard lock(mailbox_->mutex);
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
