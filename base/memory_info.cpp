#include "base/memory_info.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string_view>

#include "base/control_group.h"

namespace tern {
namespace {

/// The number at the beginning of a file; nothing for "max", or where there is no such file.
std::optional<uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  if (file >> value) return value;
  return {};
}

/// The number behind `key` at the beginning of a line.
std::optional<uint64_t> read_key(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    uint64_t value = 0;
    if (words >> name >> value && name == key) return value;
  }
  return {};
}

/// The files of one version of control groups.
struct GroupFiles {
  const char *limit, *usage, *active_file, *inactive_file;
};
constexpr GroupFiles kVersion2{"/memory.max", "/memory.current", "active_file", "inactive_file"};
constexpr GroupFiles kVersion1{"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                               "total_active_file", "total_inactive_file"};

std::optional<MemoryInfo::Group> read_group(const std::string& directory, const GroupFiles& files) {
  const auto limit = read_number(directory + files.limit);
  const auto usage = read_number(directory + files.usage);
  constexpr uint64_t kUnlimited = uint64_t(1) << 60;  // version 1 writes 2^63 less a page
  if (!limit || !usage || *limit >= kUnlimited) return {};
  const std::string stat = directory + "/memory.stat";
  const uint64_t cached = read_key(stat, files.active_file).value_or(0) +
                          read_key(stat, files.inactive_file).value_or(0);
  const uint64_t used = *usage > cached ? *usage - cached : 0;
  return MemoryInfo::Group{*limit, *limit > used ? *limit - used : 0};
}

/// The one that leaves least.
std::optional<MemoryInfo::Group> read_groups(const std::string& root) {
  std::optional<MemoryInfo::Group> least;
  for (const ControlGroup& of : control_groups(root, "memory")) {
    const auto group = read_group(of.directory, of.is_v1 ? kVersion1 : kVersion2);
    if (group && (!least || group->available_bytes < least->available_bytes)) least = group;
  }
  return least;
}

}  // namespace

MemoryInfo read_memory_info(const std::string& root) {
  MemoryInfo info;
  const std::string meminfo = root + "/proc/meminfo";
  const auto kib = read_key(meminfo, "MemAvailable:");
  info.machine_bytes = kib ? *kib * 1024 : UINT64_MAX;
  info.machine_total_bytes = read_key(meminfo, "MemTotal:").value_or(0) * 1024;
  info.group = read_groups(root);
  uint64_t pages = 0, resident = 0;
  if (std::ifstream statm(root + "/proc/self/statm"); statm >> pages >> resident)
    info.resident_bytes = resident * uint64_t(::sysconf(_SC_PAGESIZE));
  return info;
}

}  // namespace tern
