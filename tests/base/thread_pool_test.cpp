#include "base/thread_pool.h"

#include <catch2/catch.hpp>
#include <numeric>

using namespace tern;

TEST_CASE("every task runs exactly once, on a thread of the pool", "[base][thread_pool]") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    REQUIRE(pool.num_threads() == threads);
    for (const int64_t tasks : {0, 1, 2, 3, 17, 1000}) {
      std::vector<std::atomic<int>> runs(tasks);
      std::atomic<bool> thread_ok{true};
      pool.parallel_for(tasks, [&](int64_t task, int thread) {
        ++runs[task];
        if (thread < 0 || thread >= threads) thread_ok = false;
      });
      REQUIRE(thread_ok);
      for (const auto& r : runs) REQUIRE(r == 1);
    }
  }
}

TEST_CASE("loops in quick succession never mix their tasks", "[base][thread_pool]") {
  ThreadPool pool(4);
  std::vector<int64_t> out(64);
  for (int64_t loop = 0; loop < 20000; ++loop) {
    const int64_t tasks = 2 + loop % 63;
    pool.parallel_for(tasks, [&, loop](int64_t task, int) { out[task] = loop; });
    for (int64_t t = 0; t < tasks; ++t) REQUIRE(out[t] == loop);
  }
}

TEST_CASE("workers wake up after they fell asleep", "[base][thread_pool]") {
  ThreadPool pool(2);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int64_t> sum{0};
    pool.parallel_for(100, [&](int64_t task, int) { sum += task; });
    REQUIRE(sum == 4950);
  }
}
