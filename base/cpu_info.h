// What this CPU can do, and which instruction set tern uses on it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tern {

/// Instruction sets that kernels are built for. A later one of the same machine includes the
/// earlier.
enum class Isa : unsigned char { kScalar, kAvx2, kAvx512, kAvx512Vnni, kAvx512Bf16, kAmx, kNeon };

/// "scalar", "avx2" (with FMA), "avx512" (F, BW, DQ, VL), "avx512_vnni", "avx512_bf16" (with VNNI),
/// "amx" (tiles of bytes, with all these), "neon" (ARMv8.2 with dot products).
std::string_view isa_name(Isa isa);

struct CpuInfo {
  std::string model_name;  ///< as the kernel reports it
  /// The CPUs on which this process may run, by their number. Empty where a quota narrows it
  /// further: others run on the same ones, so nothing is to be bound to them.
  std::vector<int> cpus;
  int num_cpus = 1;             ///< how many threads can run at a time, by `cpus` or by the quota
  Isa best_isa = Isa::kScalar;  ///< by CPUID, so it is true under valgrind and qemu too

  /// What is used where nobody chooses: the last that was found quicker than the earlier.
  Isa default_isa = Isa::kScalar;
};

/// Read once, at first use. Any thread.
const CpuInfo& cpu_info();

/// CPUs' worth of time that the narrowest of this process's control groups allows; infinity where
/// none limits it. Reads /proc and /sys/fs/cgroup below `root`.
double read_cpu_quota(const std::string& root = "");

/// Every instruction set that this machine can run, from scalar upwards.
std::vector<Isa> runnable_isas();

/// The environment variable TERN_CPU_ISA where it is set, else the default. kInvalidArgument where
/// the variable names an unknown instruction set or one that this CPU lacks.
Result<Isa> selected_isa();

}  // namespace tern
