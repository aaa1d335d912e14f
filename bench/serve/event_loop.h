// One thread that waits for many sockets.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "bench/serve/socket.h"

namespace tern::bench {

/// epoll and a thread. Tasks come from any thread, all else happens on the loop's.
class EventLoop {
 public:
  /// What waits for a descriptor. It may be destroyed in on_batch_end only: later events of a batch
  /// may mean it.
  class Handler {
   public:
    virtual void on_ready(uint32_t epoll_events) = 0;

   protected:
    ~Handler() = default;
  };

  ~EventLoop() { stop(); }

  /// `on_batch_end` is called after each batch of events and tasks. kResourceExhausted without
  /// descriptors.
  Status start(std::function<void()> on_batch_end);

  /// Waits for the thread's end. Tasks that have not begun are dropped. Idempotent.
  void stop();

  /// Any thread: runs `task` on the loop's.
  void post(std::function<void()> task);

  /// The loop's thread: EPOLLIN and so on, level-triggered. A closed descriptor is forgotten.
  void add(int fd, uint32_t events, Handler& handler);
  void change(int fd, uint32_t events, Handler& handler);

 private:
  void run();
  void run_tasks();

  Fd epoll_, wake_;
  std::function<void()> on_batch_end_;
  std::thread thread_;
  Mutex mutex_;
  std::vector<std::function<void()>> tasks_ TERN_GUARDED_BY(mutex_);
  bool stopping_ = false;                     // the loop's thread
};

}  // namespace tern::bench
