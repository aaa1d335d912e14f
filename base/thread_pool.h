// Pinned workers for loops inside one operation.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/cpu_plan.h"

namespace tern {

/// A loop is split into tasks that threads take one by one; which thread takes which task never
/// changes a result. One owner thread calls parallel_for; the pool's workers help it. A worker
/// spins for a short while after its last task (a hand-over then costs ~0.3 us), then sleeps on a
/// futex.
class ThreadPool {
 public:
  /// `num_threads` >= 1 counts the owner. Workers are pinned as plan_cpus() says.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Pins the calling thread, the owner, to its CPU, where there are others for the threads that
  /// serve; else it stays free to go where these are not.
  void bind_owner() const {
    if (!plan_.others.empty()) bind(0);
  }

  /// Calls fn(task, thread) once for every task in [0, num_tasks), thread in [0, num_threads()),
  /// and returns when all are done. Owner thread only; does not nest. num_tasks < 2^31.
  template <class Fn>
  void parallel_for(int64_t num_tasks, Fn&& fn) {
    if (num_tasks <= 1 || workers_.empty()) {
      for (int64_t task = 0; task < num_tasks; ++task) fn(task, 0);
      return;
    }
    run(
        num_tasks,
        [](void* f, int64_t task, int thread) {
          (*static_cast<std::remove_reference_t<Fn>*>(f))(task, thread);
        },
        const_cast<void*>(static_cast<const void*>(&fn)));
  }

 private:
  using Call = void (*)(void* fn, int64_t task, int thread);

  void run(int64_t num_tasks, Call call, void* fn);
  void bind(int thread) const;
  void work(int thread);
  void take_tasks(int thread);

  // (generation << 32 | next task). An odd generation is closed: fields below may be changing.
  // A claim succeeds only if the word is what it was before the fields were read, so a late worker
  // can never take a task of one loop with the function of another.
  alignas(64) std::atomic<uint64_t> claim_{uint64_t(1) << 32};
  std::atomic<Call> call_{nullptr};
  std::atomic<void*> fn_{nullptr};
  std::atomic<uint32_t> num_tasks_{0};
  alignas(64) std::atomic<uint32_t> num_done_{0};
  alignas(64) std::atomic<uint32_t> wake_{0};  // bumped for every loop; what sleepers wait on
  std::atomic<uint32_t> num_sleepers_{0};
  std::atomic<bool> stopping_{false};
  CpuPlan plan_;
  std::vector<std::thread> workers_;
};

/// parallel_for on `pool`, or on the calling thread where it is null.
template <class Fn>
void parallel_for(ThreadPool* pool, int64_t num_tasks, Fn&& fn) {
  if (pool != nullptr) {
    pool->parallel_for(num_tasks, fn);
  } else {
    for (int64_t task = 0; task < num_tasks; ++task) fn(task, 0);
  }
}

inline int num_threads(const ThreadPool* pool) {
  return pool ? pool->num_threads() : 1;
}

}  // namespace tern
