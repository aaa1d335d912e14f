#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/row_source.h"
#include "tests/support/temp_dir.h"

using namespace tern;

namespace {

constexpr int64_t kRows = 512, kCols = 4096;

/// Resident pages of files, in bytes.
int64_t resident_file_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0, shared = 0;
  statm >> size >> resident >> shared;
  return shared * ::sysconf(_SC_PAGESIZE);
}

float value_of(int64_t row, int64_t col) {
  return float((row * 31 + col) % 1009);
}

/// A file of [kRows, kCols] f32, mapped as weights are.
struct Mapping {
  test::TempDir dir;
  void* data = MAP_FAILED;

  Mapping() {
    std::vector<float> values(kRows * kCols);
    for (int64_t i = 0; i < kRows * kCols; ++i) values[i] = value_of(i / kCols, i % kCols);
    const std::string path =
        dir.write("w", {reinterpret_cast<const char*>(values.data()), bytes()});
    const int fd = ::open(path.c_str(), O_RDONLY);
    data = ::mmap(nullptr, bytes(), PROT_READ, MAP_PRIVATE, fd, 0);
    ::close(fd);
    REQUIRE(data != MAP_FAILED);
  }
  ~Mapping() { ::munmap(data, bytes()); }
  static constexpr size_t bytes() { return kRows * kCols * sizeof(float); }

  std::unique_ptr<RowSource> rows(int64_t first, int64_t count) const {
    return make_dense_rows({.data = static_cast<const float*>(data) + first * kCols,
                            .dtype = DType::kF32,
                            .rank = 2,
                            .shape = {count, kCols, 1, 1}},
                           TensorMemory::kMappedFile);
  }
};

void check_values(const RowSource& rows) {
  std::vector<float> row(rows.cols());
  for (int64_t r = 0; r < rows.rows(); r += 37) {
    rows.read(r, row.data());
    REQUIRE(row[5] == value_of(r, 5));
    REQUIRE(std::memcmp(rows.stored(r), row.data(), row.size() * sizeof(float)) == 0);
  }
}

}  // namespace

TEST_CASE("released rows of a file leave the process and come back when read", "[base][rows]") {
  const Mapping mapping;
  std::vector<std::unique_ptr<RowSource>> parts;
  parts.push_back(mapping.rows(0, 100));
  parts.push_back(mapping.rows(100, kRows - 100));
  const auto rows = make_row_stack(std::move(parts));
  const int64_t before = resident_file_bytes();
  std::vector<float> row(kCols);
  for (int64_t r = 0; r < kRows; ++r) rows->read(r, row.data());
  const int64_t read = resident_file_bytes();
  const auto size = int64_t(Mapping::bytes());
  CHECK(read - before > size * 9 / 10);
  rows->release(64, 128);  // on both sides of the border
  CHECK(read - resident_file_bytes() > size / 4 * 9 / 10);
  rows->release(0, kRows);
  CHECK(read - resident_file_bytes() > size * 9 / 10);
  check_values(*rows);
}

TEST_CASE("release leaves memory alone that is no file's", "[base][rows]") {
  std::vector<float> values(kRows * kCols);
  for (int64_t i = 0; i < kRows * kCols; ++i) values[i] = value_of(i / kCols, i % kCols);
  const auto rows = make_dense_rows(
      {.data = values.data(), .dtype = DType::kF32, .rank = 2, .shape = {kRows, kCols, 1, 1}});
  rows->release(0, kRows);
  check_values(*rows);
}
