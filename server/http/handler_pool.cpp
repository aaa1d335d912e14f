#include "server/http/handler_pool.h"

#include <system_error>

namespace tern::http {

HandlerPool::HandlerPool(size_t max_threads) : max_threads_(max_threads) {
  const MutexLock lock(mutex_);
  start_worker({});
}

void HandlerPool::start_worker(std::function<void()> task) {
  Worker& worker = workers_.emplace_back();
  worker.task = std::move(task);
  try {
    worker.thread = std::thread([this, &worker] { work(worker); });
  } catch (const std::system_error&) {  // the process has no more threads
    if (workers_.size() == 1) throw;
    waiting_.push_back(std::move(worker.task));
    workers_.pop_back();
  }
}

void HandlerPool::run(std::function<void()> task) {
  const MutexLock lock(mutex_);
  if (!idle_.empty()) {
    Worker& worker = *idle_.back();
    idle_.pop_back();
    worker.task = std::move(task);
    worker.wake.notify_one();
  } else if (workers_.size() < max_threads_) {
    start_worker(std::move(task));
  } else {
    waiting_.push_back(std::move(task));
  }
}

void HandlerPool::work(Worker& self) {
  MutexLock lock(mutex_);
  while (true) {
    if (!self.task && !waiting_.empty()) {
      self.task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (self.task) {
      lock.unlock();
      self.task();
      self.task = nullptr;  // what it holds ends outside the lock
      lock.lock();
    } else if (stopping_) {
      return;
    } else {
      idle_.push_back(&self);
      while (!self.task && !stopping_) self.wake.wait(lock);
    }
  }
}

void HandlerPool::shutdown() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (Worker& worker : workers_) worker.wake.notify_one();
  }
  join_all();
}

void HandlerPool::join_all() {
  for (Worker& worker : workers_)
    if (worker.thread.joinable()) worker.thread.join();
}

}  // namespace tern::http
