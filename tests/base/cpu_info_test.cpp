#include "base/cpu_info.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "tests/support/temp_dir.h"

using namespace tern;

TEST_CASE("TERN_CPU_ISA chooses among what the machine runs", "[base][cpu_info]") {
  const char* before = std::getenv("TERN_CPU_ISA");
  const std::string saved = before ? before : "";
  for (const Isa isa : runnable_isas()) {
    setenv("TERN_CPU_ISA", std::string(isa_name(isa)).c_str(), 1);
    REQUIRE(selected_isa().ok());
    CHECK(*selected_isa() == isa);
  }
  setenv("TERN_CPU_ISA", "avx9000", 1);
  REQUIRE(!selected_isa().ok());
  CHECK(selected_isa().status().message().find("avx9000") != std::string::npos);
  CHECK(selected_isa().status().message().find("scalar") != std::string::npos);
  unsetenv("TERN_CPU_ISA");
  CHECK(*selected_isa() == cpu_info().default_isa);
  if (before) setenv("TERN_CPU_ISA", saved.c_str(), 1);
  CHECK(cpu_info().num_cpus >= 1);
}

TEST_CASE("the narrowest CPU quota of the control groups counts", "[base][cpu_info]") {
  const test::TempDir root;
  const auto quota = [&] { return read_cpu_quota(root.path()); };
  CHECK(std::isinf(quota()));
  root.write("/proc/self/cgroup", "0::/outer/inner\n");
  CHECK(std::isinf(quota()));
  root.write("/sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  CHECK(std::isinf(quota()));
  root.write("/sys/fs/cgroup/outer/cpu.max", "250000 100000\n");
  CHECK(quota() == 2.5);
  root.write("/sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n");
  CHECK(quota() == 0.5);
  root.write("/sys/fs/cgroup/outer/inner/cpu.max", "nonsense\n");
  CHECK(quota() == 2.5);
}

TEST_CASE("version 1 has the CPU quota in two files, -1 for none", "[base][cpu_info]") {
  const test::TempDir root;
  const auto quota = [&] { return read_cpu_quota(root.path()); };
  root.write("/proc/self/cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/docker/4711\n1:name=systemd:/\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(std::isinf(quota()));
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");  // the container sees its root
  CHECK(quota() == 3);
}
