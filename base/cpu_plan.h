// Which CPUs compute, and which are left to the threads that serve.
#pragma once

#include <span>
#include <vector>

namespace tern {

/// Says which of the CPUs that this process was started on compute.
struct CpuPlan {
  std::vector<int> compute;  ///< one a compute thread, the owner's first; empty: nothing is pinned
  std::vector<int> others;   ///< for all other threads; empty: these go anywhere
};

/// The last `num_threads` of `cpus` compute. Where they are all needed the others share them; where
/// there are fewer than threads nothing is pinned.
CpuPlan plan_cpus(std::span<const int> cpus, int num_threads);

/// Compute threads of a daemon on so many CPUs: all but one, which I/O takes, where there are more
/// than two.
int serving_threads(int num_cpus);

/// Binds the calling thread, and the threads that it starts from now on, to `cpus`; does nothing
/// where there are none. False where the system forbids it (some containers): the thread then runs
/// on as before.
bool bind_thread(std::span<const int> cpus);

}  // namespace tern
