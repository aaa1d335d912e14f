#include "base/cpu_plan.h"

#include <sched.h>

#include <catch2/catch.hpp>
#include <thread>

#include "base/cpu_info.h"
#include "base/thread_pool.h"

using namespace tern;

namespace {

std::vector<int> bound_to() {
  cpu_set_t set;
  std::vector<int> cpus;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

}  // namespace

TEST_CASE("compute threads take the last CPUs and leave the others", "[base][cpu_plan]") {
  const std::vector<int> cpus{0, 2, 5, 7};
  CHECK(plan_cpus(cpus, 3).compute == std::vector{2, 5, 7});
  CHECK(plan_cpus(cpus, 3).others == std::vector{0});
  CHECK(plan_cpus(cpus, 4).compute == cpus);
  CHECK(plan_cpus(cpus, 4).others.empty());
  CHECK(plan_cpus(cpus, 5).compute.empty());
  CHECK(plan_cpus(cpus, 5).others.empty());
  CHECK(serving_threads(1) == 1);
  CHECK(serving_threads(2) == 2);
  CHECK(serving_threads(3) == 2);
  CHECK(serving_threads(16) == 15);
}

TEST_CASE("a pool's threads have their CPUs, whatever the one that made it is bound to",
          "[base][cpu_plan]") {
  const std::vector<int>& cpus = cpu_info().cpus;
  if (cpus.size() < 2) return;  // or there is a quota
  REQUIRE(int(cpus.size()) == cpu_info().num_cpus);
  const int threads = int(cpus.size()) - 1;  // one is left for others
  std::thread([&] {
    if (!bind_thread(std::span(cpus).first(1))) return;  // a container that forbids it
    CHECK(bound_to() == std::vector{cpus.front()});
    ThreadPool pool(threads);
    pool.bind_owner();
    CHECK(bound_to() == std::vector{cpus[1]});
    std::vector<std::vector<int>> of_thread(threads);
    for (int tries = 0; tries < 1000; ++tries)
      pool.parallel_for(64, [&](int64_t, int thread) {
        if (of_thread[thread].empty()) of_thread[thread] = bound_to();
      });
    for (int t = 0; t < threads; ++t)  // a slow thread may have come too late for any task
      if (!of_thread[t].empty()) CHECK(of_thread[t] == std::vector{cpus[1 + t]});
  }).join();
}
