#include "base/cpu_plan.h"

#include <sched.h>

namespace tern {

CpuPlan plan_cpus(std::span<const int> cpus, int num_threads) {
  CpuPlan plan;
  const auto threads = static_cast<size_t>(num_threads);
  if (threads > cpus.size()) return plan;
  const auto first = cpus.end() - num_threads;
  plan.compute.assign(first, cpus.end());
  plan.others.assign(cpus.begin(), first);
  return plan;
}

int serving_threads(int num_cpus) {
  return num_cpus > 2 ? num_cpus - 1 : num_cpus;
}

bool bind_thread(std::span<const int> cpus) {
  if (cpus.empty()) return true;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;  // 0: the calling thread
}

}  // namespace tern
