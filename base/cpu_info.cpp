#include "base/cpu_info.h"

#include <sched.h>

#include <array>
#include <cstdlib>
#include <fstream>

namespace tern {
namespace {

constexpr std::array<std::string_view, 3> kIsaNames{"scalar", "avx2", "avx512"};

Isa detect_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::kScalar;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? Isa::kAvx512 : Isa::kAvx2;
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
  for (int i = 0; i <= static_cast<int>(cpu_info().best_isa); ++i)
    isas.push_back(static_cast<Isa>(i));
  return isas;
}

Result<Isa> selected_isa() {
  const char* wanted = std::getenv("TERN_CPU_ISA");
  if (wanted == nullptr || *wanted == '\0') return cpu_info().best_isa;
  for (const Isa isa : runnable_isas())
    if (isa_name(isa) == wanted) return isa;
  std::string message = "TERN_CPU_ISA=" + std::string(wanted) + ": this CPU runs";
  for (const Isa isa : runnable_isas()) message += " " + std::string(isa_name(isa));
  return invalid_argument(message);
}

}  // namespace tern
