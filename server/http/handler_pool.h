// Threads that each wait for what a client does, as many as are needed at once.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

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
    std::condition_variable wake;
    std::thread thread;
  };

  void start_worker(std::function<void()> task);
  void work(Worker& self);

  const size_t max_threads_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::list<Worker> workers_;
  std::vector<Worker*> idle_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
};

}  // namespace tern::http
