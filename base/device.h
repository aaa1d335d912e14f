// What a kernel runs on.
#pragma once

#include "base/cpu_info.h"

namespace tern {

/// The host's CPUs, and behind them the devices of plug-ins in the order in which they were opened
/// (kernels/registry.h).
enum class Device : unsigned char { kCpu };

class Communicator;
class KernelLog;
class ThreadPool;

/// Passed down explicitly; there is no current device, stream or pool.
struct Exec {
  Device device = Device::kCpu;
  Isa isa = Isa::kScalar;      ///< CPU only: kernels of this instruction set and below may run
  ThreadPool* pool = nullptr;  ///< CPU only; null = the calling thread alone
  void* stream = nullptr;      ///< of the device, in its own terms
  /// Between the ranks that share a model's layers; null where one rank has them whole.
  Communicator* comm = nullptr;
  KernelLog* log =
      nullptr;  ///< if not null, notes which kernels ran and how long; not while serving
  /// > 0: operations do nothing, for measuring what a step takes of a workspace on so many threads.
  int dry_run_threads = 0;
};

}  // namespace tern
