// What a kernel runs on.
#pragma once

#include "base/cpu_info.h"

namespace tern {

enum class Device : unsigned char { kCpu, kCuda };
class KernelLog;
class ThreadPool;

/// Passed down explicitly; there is no current device, stream or pool.
struct Exec {
  Device device = Device::kCpu;
  Isa isa = Isa::kScalar;      ///< CPU only: kernels of this instruction set and below may run
  ThreadPool* pool = nullptr;  ///< CPU only; null = the calling thread alone
  void* stream = nullptr;      ///< cudaStream_t, CUDA only
  KernelLog* log = nullptr;  ///< if not null, notes which kernels ran and how long; not while serving
};

}  // namespace tern
