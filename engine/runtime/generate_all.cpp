#include "engine/runtime/generate_all.h"

#include <condition_variable>
#include <mutex>

namespace tern {
namespace {

// Where the answers of one generate_all() come together.
struct Gathering {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Answer> answers;  // guarded by mutex
  size_t num_done = 0;          // guarded by mutex
};

class Collector final : public TokenSink {
 public:
  Collector(std::shared_ptr<Gathering> gathering, size_t index)
      : gathering_(std::move(gathering)), index_(index) {}

  void on_event(TokenEvent event) override {
    const std::lock_guard lock(gathering_->mutex);
    Answer& answer = gathering_->answers[index_];
    answer.text += event.text;
    answer.token_ids.insert(answer.token_ids.end(), event.token_ids.begin(), event.token_ids.end());
    if (!event.finished) return;
    answer.finished = std::move(*event.finished);
    ++gathering_->num_done;
    gathering_->changed.notify_one();
  }

 private:
  const std::shared_ptr<Gathering> gathering_;
  const size_t index_;
};

}  // namespace

Result<std::vector<Answer>> generate_all(Engine& engine, std::vector<Request> requests,
                                         const std::function<void(size_t)>& on_done) {
  const auto gathering = std::make_shared<Gathering>();
  gathering->answers.resize(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    const Result<uint64_t> id =
        engine.submit(std::move(requests[i]), std::make_shared<Collector>(gathering, i));
    if (!id.ok()) return id.status().with_context("request " + std::to_string(i));
  }
  std::unique_lock lock(gathering->mutex);
  for (size_t seen = 0; seen < gathering->answers.size();) {
    gathering->changed.wait(lock, [&] { return gathering->num_done > seen; });
    seen = gathering->num_done;
    if (!on_done) continue;
    lock.unlock();  // a slow terminal must not hold up the engine
    on_done(seen);
    lock.lock();
  }
  for (size_t i = 0; i < gathering->answers.size(); ++i)
    TERN_TRY(gathering->answers[i].finished.status.with_context("request " + std::to_string(i)));
  return std::move(gathering->answers);
}

}  // namespace tern
