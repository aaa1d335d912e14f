#include "engine/serve/generate_all.h"

#include <algorithm>
#include <iterator>

#include "base/mutex.h"

namespace tern {
namespace {

// Where the answers of one generate_all() come together.
struct Gathering {
  Mutex mutex;
  CondVar changed;
  std::vector<GeneratedAnswer> answers TERN_GUARDED_BY(mutex);
  size_t num_done TERN_GUARDED_BY(mutex) = 0;
};

class Collector final : public TokenSink {
 public:
  // `first`: where the request's answers begin.
  Collector(std::shared_ptr<Gathering> gathering, size_t first)
      : gathering_(std::move(gathering)), first_(first) {}

  void on_prompt_logprobs(int32_t, std::vector<TokenLogprobs> logprobs) override {
    const MutexLock lock(gathering_->mutex);
    append(std::move(logprobs), gathering_->answers[first_].prompt_logprobs);
  }

  void on_event(TokenEvent event) override {
    const MutexLock lock(gathering_->mutex);
    GeneratedAnswer& answer = gathering_->answers[first_ + size_t(event.index)];
    answer.text += event.text;
    answer.token_ids.insert(answer.token_ids.end(), event.token_ids.begin(), event.token_ids.end());
    append(std::move(event.logprobs), answer.logprobs);
    if (!event.finished) return;
    answer.finished = std::move(*event.finished);
    ++gathering_->num_done;
    gathering_->changed.notify_one();
  }

 private:
  static void append(std::vector<TokenLogprobs> from, std::vector<TokenLogprobs>& to) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  }

  const std::shared_ptr<Gathering> gathering_;
  const size_t first_;
};

}  // namespace

Result<std::vector<GeneratedAnswer>> generate_all(Engine& engine, std::vector<Request> requests,
                                                  const std::function<void(size_t)>& on_done) {
  const auto gathering = std::make_shared<Gathering>();
  std::vector<size_t> request_of;  // by answer
  for (size_t i = 0; i < requests.size(); ++i)
    request_of.insert(request_of.end(), size_t(std::max(requests[i].sampling.n, 1)), i);
  {
    const MutexLock lock(gathering->mutex);
    gathering->answers.resize(request_of.size());
  }
  size_t first = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const size_t num_answers = size_t(std::max(requests[i].sampling.n, 1));
    const Result<uint64_t> id =
        engine.submit(std::move(requests[i]), std::make_shared<Collector>(gathering, first));
    if (!id.ok()) return id.status().with_context("request " + std::to_string(i));
    first += num_answers;
  }
  MutexLock lock(gathering->mutex);
  for (size_t seen = 0; seen < gathering->answers.size();) {
    while (gathering->num_done <= seen) gathering->changed.wait(lock);
    seen = gathering->num_done;
    if (!on_done) continue;
    lock.unlock();  // a slow terminal must not hold up the engine
    on_done(seen);
    lock.lock();
  }
  for (size_t i = 0; i < gathering->answers.size(); ++i)
    TERN_TRY(gathering->answers[i].finished.status.with_context("request " +
                                                                std::to_string(request_of[i])));
  return std::move(gathering->answers);
}

}  // namespace tern
