#include "base/process_info.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace tern {
namespace {

double seconds(const timeval& time) {
  return double(time.tv_sec) + double(time.tv_usec) * 1e-6;
}

std::optional<uint64_t> soft_limit(int resource) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  return limit.rlim_cur;
}

std::optional<uint64_t> count_files(const std::string& directory) {
  std::error_code error;
  uint64_t count = 0;
  for (std::filesystem::directory_iterator file(directory, error), end; !error && file != end;
       file.increment(error))
    ++count;
  return error ? std::nullopt : std::optional(count);
}

/// When the machine started, Unix seconds.
std::optional<double> boot_time(const std::string& root) {
  std::ifstream file(root + "/proc/stat");
  for (std::string line; std::getline(file, line);)
    if (constexpr std::string_view kKey = "btime "; line.starts_with(kKey))
      return std::strtod(line.c_str() + kKey.size(), nullptr);
  return {};
}

/// The numbers of /proc/self/stat, by their place in proc(5).
class Stat {
 public:
  explicit Stat(const std::string& root) {
    std::ifstream file(root + "/proc/self/stat");
    std::string line;
    std::getline(file, line);
    // The second field is the program's name, which may hold blanks and parentheses.
    std::istringstream rest(line.substr(std::min(line.rfind(')'), line.size() - 1) + 1));
    std::string state;
    rest >> state;
    for (int64_t value = 0; num_ < values_.size() && rest >> value;) values_[num_++] = value;
  }

  std::optional<uint64_t> field(size_t number) const {
    const size_t i = number - kFirst;
    if (i >= num_) return {};
    return static_cast<uint64_t>(values_[i]);
  }

 private:
  static constexpr size_t kFirst = 4;
  std::array<int64_t, 21> values_{};
  size_t num_ = 0;
};

}  // namespace

ProcessInfo read_process_info(const std::string& root) {
  constexpr size_t kNumThreads = 20, kStartTime = 22, kVirtualBytes = 23, kResidentPages = 24;
  ProcessInfo info;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    info.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  const Stat stat(root);
  info.num_threads = stat.field(kNumThreads);
  info.virtual_bytes = stat.field(kVirtualBytes);
  if (const auto pages = stat.field(kResidentPages))
    info.resident_bytes = *pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto started = stat.field(kStartTime);
  if (const auto boot = boot_time(root); boot && started)
    info.start_time = *boot + double(*started) / double(::sysconf(_SC_CLK_TCK));
  info.max_virtual_bytes = soft_limit(RLIMIT_AS);
  info.open_fds = count_files(root + "/proc/self/fd");
  info.max_fds = soft_limit(RLIMIT_NOFILE);
  return info;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace tern
