#include "base/process_info.h"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/support/temp_dir.h"

using namespace tern;

TEST_CASE("a process's figures are those of /proc", "[base][process]") {
  const test::TempDir root;
  root.write("/proc/stat", "cpu  1 2 3\nbtime 1700000000\nprocesses 9\n");
  // A program may have any name.
  root.write(
      "/proc/self/stat",
      "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 7 0 12345 8192000 300 "
      "18446744073709551615 1 1\n");
  for (const char* fd : {"0", "1", "2", "17"}) root.write(std::string("/proc/self/fd/") + fd, "");
  const ProcessInfo info = read_process_info(root.path());
  CHECK(info.num_threads == 7u);
  CHECK(info.virtual_bytes == 8192000u);
  CHECK(info.resident_bytes == 300u * uint64_t(sysconf(_SC_PAGESIZE)));
  CHECK(info.open_fds == 4u);
  REQUIRE(info.start_time);
  CHECK(*info.start_time ==
        Approx(1700000000 + 12345.0 / double(sysconf(_SC_CLK_TCK))).margin(1e-3));
}

TEST_CASE("what the system does not tell is unset", "[base][process]") {
  const test::TempDir root;
  CHECK_FALSE(read_process_info(root.path()).start_time);
  for (const char* stat : {"", ")", "42 (x) S 1 2", "42 (x"}) {
    root.write("/proc/self/stat", stat);
    const ProcessInfo info = read_process_info(root.path());
    CHECK_FALSE(info.start_time);
    CHECK_FALSE(info.num_threads);
    CHECK_FALSE(info.virtual_bytes);
    CHECK_FALSE(info.resident_bytes);
    CHECK_FALSE(info.open_fds);
  }
}

TEST_CASE("this process is seen as it is", "[base][process]") {
  const ProcessInfo before = read_process_info();
  REQUIRE((before.start_time && before.num_threads && before.open_fds && before.virtual_bytes));
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(*before.start_time < now + 1);
  CHECK(*before.start_time > now - 24 * 3600);
  constexpr size_t kBytes = 1 << 26;
  void* memory = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int fd = dup(0);
  std::optional<uint64_t> num_threads;
  std::thread([&] { num_threads = read_process_info().num_threads; }).join();
  while (read_process_info().cpu_seconds == before.cpu_seconds) {
  }
  const ProcessInfo after = read_process_info();
  CHECK(*after.virtual_bytes >= *before.virtual_bytes + kBytes);
  CHECK(*after.open_fds == *before.open_fds + 1);
  CHECK(num_threads == *before.num_threads + 1);
  CHECK(after.cpu_seconds > before.cpu_seconds);
  CHECK(*after.start_time == Approx(*before.start_time).margin(2));
  close(fd);
  munmap(memory, kBytes);
}

TEST_CASE("the machine has a name", "[base][process]") {
  CHECK_FALSE(host_name().empty());
}
