#include "base/cpu_info.h"

#include <sched.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <array>
#include <cstdlib>
#include <fstream>

namespace tern {
namespace {

constexpr std::array<std::string_view, 6> kIsaNames{"scalar",      "avx2",        "avx512",
                                                    "avx512_vnni", "avx512_bf16", "neon"};

#if defined(__x86_64__)
/// CPUs with AMX do a dot product of bf16 at half the rate of an f32 fma outside their tiles.
bool has_amx() {
  constexpr unsigned kAmxTile = 1u << 24;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kAmxTile) != 0;
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
  return __builtin_cpu_supports("avx512bf16") && !has_amx() ? Isa::kAvx512Bf16 : Isa::kAvx512Vnni;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0 ? Isa::kNeon : Isa::kScalar;
#else
  return Isa::kScalar;
#endif
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

int count_cpus() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  return kIsaNames[static_cast<size_t>(isa)];
}

const CpuInfo& cpu_info() {
  static const CpuInfo info{read_model_name(), count_cpus(), detect_isa()};
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
  if (wanted == nullptr || *wanted == '\0') return cpu_info().best_isa;
  for (const Isa isa : runnable_isas())
    if (isa_name(isa) == wanted) return isa;
  std::string message = "TERN_CPU_ISA=" + std::string(wanted) + ": this CPU runs";
  for (const Isa isa : runnable_isas()) message.append(" ").append(isa_name(isa));
  return invalid_argument(message);
}

}  // namespace tern
