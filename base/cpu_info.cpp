#include "base/cpu_info.h"

#include <sched.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "base/control_group.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, 7> kIsaNames{"scalar",      "avx2", "avx512", "avx512_vnni",
                                                    "avx512_bf16", "amx",  "neon"};

#if defined(__x86_64__)
/// AMX with tiles of bytes, which the kernel lets this process use: it keeps their state of 8 KB
/// for every thread.
bool allow_amx() {
  constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTile) == 0 || (d & kInt8) == 0)
    return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // asm/prctl.h, xstate
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

Isa detect_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::kScalar;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!avx512) return Isa::kAvx2;
  if (!__builtin_cpu_supports("avx512vnni")) return Isa::kAvx512;
  if (!__builtin_cpu_supports("avx512bf16")) return Isa::kAvx512Vnni;
  return allow_amx() ? Isa::kAmx : Isa::kAvx512Bf16;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0 ? Isa::kNeon : Isa::kScalar;
#else
  return Isa::kScalar;
#endif
}

/// CPUs with AMX do a dot product of bf16 at half the rate of an f32 fma outside their tiles; the
/// kernels of tiles have only been tried on an emulation.
Isa default_of(Isa best) {
  return best == Isa::kAmx ? Isa::kAvx512Vnni : best;
}

std::string read_model_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown CPU";
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

double read_quota(const ControlGroup& group) {
  double quota = 0, period = 0;
  if (group.is_v1) {
    std::ifstream(group.directory + "/cpu.cfs_quota_us") >> quota;  // -1: none
    std::ifstream(group.directory + "/cpu.cfs_period_us") >> period;
  } else {
    std::ifstream(group.directory + "/cpu.max") >> quota >> period;  // "max 100000": none
  }
  return quota > 0 && period > 0 ? quota / period : std::numeric_limits<double>::infinity();
}

}  // namespace

double read_cpu_quota(const std::string& root) {
  double least = std::numeric_limits<double>::infinity();
  for (const ControlGroup& group : control_groups(root, "cpu"))
    least = std::min(least, read_quota(group));
  return least;
}

std::string_view isa_name(Isa isa) {
  return kIsaNames[static_cast<size_t>(isa)];
}

const CpuInfo& cpu_info() {
  static const CpuInfo info = [] {
    const Isa best = detect_isa();
    std::vector<int> cpus = allowed_cpus();
    auto num_cpus = static_cast<int>(cpus.size());
    // Not rounded up: threads that wait for one that has used the quota up compute nothing.
    if (const double quota = read_cpu_quota(); quota < num_cpus) {
      num_cpus = std::max(static_cast<int>(quota), 1);
      cpus.clear();
    }
    return CpuInfo{read_model_name(), std::move(cpus), num_cpus, best, default_of(best)};
  }();
  return info;
}

std::vector<Isa> runnable_isas() {
  std::vector<Isa> isas;
  for (int i = 0; i <= static_cast<int>(cpu_info().best_isa); ++i) {
    const Isa isa = static_cast<Isa>(i);
    const bool is_x86 = isa > Isa::kScalar && isa < Isa::kNeon;
    if (!is_x86 || cpu_info().best_isa != Isa::kNeon) isas.push_back(isa);
  }
  return isas;
}

Result<Isa> selected_isa() {
  const char* wanted = std::getenv("TERN_CPU_ISA");
  if (wanted == nullptr || *wanted == '\0') return cpu_info().default_isa;
  for (const Isa isa : runnable_isas())
    if (isa_name(isa) == wanted) return isa;
  std::string message = "TERN_CPU_ISA: '" + std::string(wanted) + "' is none that this CPU runs:";
  for (const Isa isa : runnable_isas()) message.append(" ").append(isa_name(isa));
  return invalid_argument(message);
}

}  // namespace tern
