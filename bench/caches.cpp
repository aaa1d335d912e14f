#include "bench/caches.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace tern {
namespace {

struct Level {
  int level = 0;
  size_t bytes = 0;
  std::string sharers;  // the CPUs that share it
};

// One cache of one CPU; level 0 where there is none.
Level read_level(const std::string& directory) {
  Level cache;
  std::string type;
  char unit = 0;
  std::ifstream(directory + "/type") >> type;
  std::ifstream(directory + "/shared_cpu_list") >> cache.sharers;
  std::ifstream size(directory + "/size");
  if (size >> cache.bytes >> unit) cache.bytes <<= unit == 'M' ? 20 : unit == 'K' ? 10 : 0;
  if (type != "Instruction") std::ifstream(directory + "/level") >> cache.level;
  return cache;
}

}  // namespace

Caches read_caches(const std::string& root) {
  Caches caches{size_t(512) << 10, size_t(32) << 20};
  std::map<std::string, size_t> last;  // by the CPUs that share it
  int last_level = 0;
  for (int cpu = 0;; ++cpu) {
    const std::string of_cpu = root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
    if (!std::filesystem::exists(of_cpu)) break;
    for (int index = 0; index < 8; ++index) {
      const Level cache = read_level(of_cpu + "/cache/index" + std::to_string(index));
      if (cache.level == 0 || cache.bytes == 0) continue;
      if (cpu == 0 && cache.level == 2) caches.l2_bytes = cache.bytes;
      if (cache.level > last_level) last.clear(), last_level = cache.level;
      if (cache.level == last_level) last[cache.sharers] = cache.bytes;
    }
  }
  if (last.empty()) return caches;
  caches.last_bytes = 0;
  for (const auto& [sharers, bytes] : last) caches.last_bytes += bytes;
  caches.l2_bytes = std::min(caches.l2_bytes, caches.last_bytes);
  return caches;
}

}  // namespace tern
