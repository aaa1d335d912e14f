// Threads that each wait for what a client does, as many as are needed at once.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tern::http {

/// The thread that became idle last works first, and one is started where none is idle: a server
/// that seldom has ten connections uses the stacks and allocator caches of ten threads, though it
/// may have hundreds.
class HandlerPool {
 public:
  /// `max_threads` > 0. Throws std::system_error where not even one thread can be started.
  explicit HandlerPool(size_t max_threads);
  ~HandlerPool() { shutdown(); }

  /// Any thread. Runs `task`, which must not throw, as soon as a thread is free.
  void run(std::function<void()> task);

  /// Returns when all tasks have ended, those that waited too. None may be added. Idempotent; one
  /// thread.
  void shutdown();

 private:
  struct Worker {
    std::function<void()> task;
    CondVar wake;
    std::thread thread;
  };

  void start_worker(std::function<void()> task) TERN_REQUIRES(mutex_);
  void work(Worker& self);
  void join_all() TERN_UNCHECKED;  // after the last worker was started

  const size_t max_threads_;
  Mutex mutex_;
  std::list<Worker> workers_ TERN_GUARDED_BY(mutex_);
  std::vector<Worker*> idle_ TERN_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> waiting_ TERN_GUARDED_BY(mutex_);
  bool stopping_ TERN_GUARDED_BY(mutex_) = false;
};

}  // namespace tern::http
