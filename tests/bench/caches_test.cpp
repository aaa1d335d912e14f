#include <catch2/catch.hpp>

#include "bench/caches.h"
#include "tests/support/temp_dir.h"

using namespace tern;

namespace {

/// A made-up /sys.
struct Root {
  test::TempDir dir;

  void write(int cpu, int index, const std::string& level, const std::string& type,
             const std::string& size, const std::string& sharers) const {
    const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index" +
                             std::to_string(index) + "/";
    dir.write(path + "level", level + "\n");
    dir.write(path + "type", type + "\n");
    dir.write(path + "size", size + "\n");
    dir.write(path + "shared_cpu_list", sharers + "\n");
  }
};

}  // namespace

TEST_CASE("the caches of the last level count together, each once", "[bench][caches]") {
  const Root root;
  for (int cpu = 0; cpu < 4; ++cpu) {
    const std::string own = std::to_string(cpu);
    root.write(cpu, 0, "1", "Data", "32K", own);
    root.write(cpu, 1, "1", "Instruction", "32K", own);
    root.write(cpu, 2, "2", "Unified", "512K", own);
    root.write(cpu, 3, "3", "Unified", cpu < 2 ? "16384K" : "8M", cpu < 2 ? "0-1" : "2-3");
  }
  const Caches caches = read_caches(root.dir.path());
  CHECK(caches.l2_bytes == 512 << 10);
  CHECK(caches.last_bytes == (16 + 8) << 20);
}

TEST_CASE("where the last level is the second, it is of every CPU", "[bench][caches]") {
  const Root root;
  for (int cpu = 0; cpu < 2; ++cpu) root.write(cpu, 0, "2", "Unified", "1M", std::to_string(cpu));
  const Caches caches = read_caches(root.dir.path());
  CHECK(caches.l2_bytes == 1 << 20);
  CHECK(caches.last_bytes == 2 << 20);
}

TEST_CASE("a machine that does not say has usual caches", "[bench][caches]") {
  CHECK(read_caches("/nowhere").l2_bytes == 512 << 10);
  CHECK(read_caches("/nowhere").last_bytes == 32 << 20);
}
