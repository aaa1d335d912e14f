#include <catch2/catch.hpp>

#include "base/memory_info.h"
#include "tests/support/temp_dir.h"

using namespace tern;

namespace {

/// A made-up /proc and /sys.
struct Root {
  test::TempDir dir;

  void write(const std::string& path, const std::string& text) const { dir.write(path, text); }
  Root() { write("/proc/meminfo", "MemTotal:  9000 kB\nMemFree: 1 kB\nMemAvailable:  4000 kB\n"); }
  MemoryInfo read() const { return read_memory_info(dir.path()); }
};

}  // namespace

TEST_CASE("without control groups the machine's memory counts", "[base][memory]") {
  const Root root;
  CHECK(root.read().machine_bytes == 4000 * 1024);
  CHECK(!root.read().group);
  CHECK(root.read().available_bytes() == 4000 * 1024);
  CHECK(root.read().limit_bytes() == 9000 * 1024);
  CHECK(read_memory_info("/nowhere").available_bytes() == UINT64_MAX);
}

TEST_CASE("the control group that leaves least counts, cached files as free", "[base][memory]") {
  const Root root;
  root.write("/proc/self/cgroup", "0::/outer/inner\n");
  const std::string outer = "/sys/fs/cgroup/outer";
  root.write(outer + "/inner/memory.max", "max\n");
  root.write(outer + "/inner/memory.current", "5\n");
  CHECK(!root.read().group);
  root.write(outer + "/memory.max", "3000000\n");
  root.write(outer + "/memory.current", "1500000\n");
  root.write(outer + "/memory.stat", "anon 900000\nactive_file 200000\ninactive_file 300000\n");
  REQUIRE(root.read().group);
  CHECK(root.read().group->limit_bytes == 3000000);
  CHECK(root.read().available_bytes() == 2000000);
  CHECK(root.read().limit_bytes() == 3000000);
  root.write(outer + "/inner/memory.max", "1000\n");
  CHECK(root.read().group->limit_bytes == 1000);
  CHECK(root.read().available_bytes() == 995);
}

TEST_CASE("version 1 groups, and paths of the host that a container does not see",
          "[base][memory]") {
  const Root root;
  root.write("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/4711\n1:name=systemd:/\n");
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
  CHECK(!root.read().group);
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000\n");
  root.write("/sys/fs/cgroup/memory/memory.stat",
             "inactive_file 1\ntotal_active_file 100\ntotal_inactive_file 300\n");
  REQUIRE(root.read().group);
  CHECK(root.read().available_bytes() == 1400);
}

TEST_CASE("this process has some memory", "[base][memory]") {
  const MemoryInfo info = read_memory_info();
  CHECK(info.resident_bytes > 100'000);
  CHECK(info.available_bytes() > 0);
}
