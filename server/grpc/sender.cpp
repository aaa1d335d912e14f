#include "server/grpc/sender.h"

namespace tern {
namespace {

// A third gains nothing: gRPC lets one thread write to a connection, the second finds it in use.
constexpr size_t kNumThreads = 2;
constexpr int kMostSentHere = 4;

}  // namespace

Sender::Sender() : num_idle_(kNumThreads) {
  for (size_t i = 0; i < kNumThreads; ++i) threads_.emplace_back([this] { run(); });
}

Sender::~Sender() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Sender::post(std::shared_ptr<Source> source) {
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    posted_.push_back(std::move(source));
    wake = num_idle_ > 0;
  }
  if (wake) wake_.notify_one();  // who is woken on this CPU must not find the lock taken
}

void Sender::send_or_post(std::shared_ptr<Source> source) {
  MutexLock lock(mutex_);
  const bool is_late = num_sent_here_ == kMostSentHere;
  if (!is_late) ++num_sent_here_;
  lock.unlock();
  is_late ? post(std::move(source)) : source->send();
}

void Sender::run() {
  std::vector<std::shared_ptr<Source>> taken;
  MutexLock lock(mutex_);
  while (true) {
    while (!stopping_ && posted_.empty()) wake_.wait(lock);
    if (posted_.empty()) return;
    --num_idle_;
    while (!posted_.empty()) {
      taken.swap(posted_);
      lock.unlock();
      for (const auto& source : taken) source->send();
      taken.clear();
      lock.lock();
    }
    ++num_idle_;
    num_sent_here_ = 0;
  }
}

}  // namespace tern
