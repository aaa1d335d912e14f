// How much memory this process may still take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tern {

struct MemoryInfo {
  /// What a control group (version 1 or 2) allows, and what it leaves. Cached file pages count as
  /// left, as the kernel drops them first.
  struct Group {
    uint64_t limit_bytes = 0;
    uint64_t available_bytes = 0;
  };

  uint64_t machine_bytes = 0;        ///< MemAvailable
  uint64_t machine_total_bytes = 0;  ///< MemTotal; 0 where it cannot be read
  std::optional<Group> group;        ///< the group, of this and those above it, that leaves least
  uint64_t resident_bytes = 0;       ///< what the process has by now

  /// What may be taken still.
  uint64_t available_bytes() const {
    return group_is_nearer() ? group->available_bytes : machine_bytes;
  }

  /// What available_bytes() is left of: the group's limit, or the machine's memory.
  uint64_t limit_bytes() const {
    return group_is_nearer() ? group->limit_bytes : machine_total_bytes;
  }

 private:
  bool group_is_nearer() const { return group && group->available_bytes < machine_bytes; }
};

/// Reads /proc and /sys/fs/cgroup below `root`. Where MemAvailable cannot be read, machine_bytes is
/// UINT64_MAX: nothing is known to be short.
MemoryInfo read_memory_info(const std::string& root = "");

}  // namespace tern
