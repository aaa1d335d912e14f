#include "base/thread_pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/check.h"
#include "base/cpu_info.h"

namespace tern {
namespace {

constexpr int kSpins =
    4000;  // ~50 us of pauses: longer than the gap between two operations of a step

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) {
  TERN_CHECK(num_threads >= 1, "a pool needs its owner");
  plan_ = plan_cpus(cpu_info().cpus, num_threads);
  workers_.reserve(num_threads - 1);
  for (int i = 1; i < num_threads; ++i)
    workers_.emplace_back([this, i] {
      bind(i);
      work(i);
    });
}

void ThreadPool::bind(int thread) const {
  // A container may forbid it; the pool then works unpinned.
  if (!plan_.compute.empty()) (void)bind_thread(std::span(plan_.compute).subspan(thread, 1));
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  wake_.fetch_add(1);
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t num_tasks, Call call, void* fn) {
  TERN_CHECK(num_tasks < (int64_t(1) << 31), "too many tasks for one loop");
  // The word is closed here: run() leaves it closed, and so does the constructor.
  const uint64_t generation = (claim_.load(std::memory_order_relaxed) >> 32) + 1;
  call_.store(call, std::memory_order_relaxed);
  fn_.store(fn, std::memory_order_relaxed);
  num_tasks_.store(static_cast<uint32_t>(num_tasks), std::memory_order_relaxed);
  num_done_.store(0, std::memory_order_relaxed);
  claim_.store(generation << 32, std::memory_order_release);
  // seq_cst here and in work(): either a worker going to sleep sees the new value, or we see it
  // among the sleepers.
  wake_.fetch_add(1, std::memory_order_seq_cst);
  if (num_sleepers_.load(std::memory_order_seq_cst) > 0) wake_.notify_all();

  take_tasks(0);
  for (int spins = 0; num_done_.load(std::memory_order_acquire) != num_tasks; ++spins)
    spins < kSpins ? pause() : std::this_thread::yield();
  claim_.store((generation + 1) << 32, std::memory_order_release);
}

void ThreadPool::take_tasks(int thread) {
  uint64_t word = claim_.load(std::memory_order_acquire);
  while (!(word >> 32 & 1)) {
    const Call call = call_.load(std::memory_order_relaxed);
    void* const fn = fn_.load(std::memory_order_relaxed);
    const uint32_t task = static_cast<uint32_t>(word);
    if (task >= num_tasks_.load(std::memory_order_relaxed)) return;
    if (!claim_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      continue;  // `word` now holds what another thread left
    call(fn, task, thread);
    num_done_.fetch_add(1, std::memory_order_acq_rel);
    word = claim_.load(std::memory_order_acquire);
  }
}

void ThreadPool::work(int thread) {
  uint32_t seen = 0;
  while (true) {
    int spins = 0;
    while (wake_.load(std::memory_order_acquire) == seen && spins < kSpins) pause(), ++spins;
    if (spins == kSpins) {
      num_sleepers_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(seen, std::memory_order_seq_cst);
      num_sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    }
    seen = wake_.load(std::memory_order_acquire);
    if (stopping_) return;
    take_tasks(thread);
  }
}

}  // namespace tern
