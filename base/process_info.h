// What the operating system knows of this process, as Prometheus' client libraries report it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tern {

/// A member is unset where the system does not tell it, or sets no limit.
struct ProcessInfo {
  double cpu_seconds = 0;            ///< user and system time since start, of all threads
  std::optional<double> start_time;  ///< Unix seconds
  std::optional<uint64_t> virtual_bytes, resident_bytes;
  std::optional<uint64_t> max_virtual_bytes;
  std::optional<uint64_t> open_fds, max_fds;
  std::optional<uint64_t> num_threads;
};

/// Reads /proc below `root`, and asks the kernel. Any thread.
ProcessInfo read_process_info(const std::string& root = "");

/// The machine's name on its network; "" where it has none.
std::string host_name();

}  // namespace tern
