#include <catch2/catch.hpp>

#include "base/buffer.h"
#include "base/memory_info.h"
#include "base/workspace.h"

using namespace tern;

TEST_CASE("buffers are aligned, move, and refuse what cannot be", "[base][buffer]") {
  Result<Buffer> small = Buffer::allocate(100), big = Buffer::allocate(5 << 20);
  REQUIRE(small.ok());
  REQUIRE(big.ok());
  CHECK(reinterpret_cast<uintptr_t>(small->data()) % 64 == 0);
  CHECK(big->size() == 5 << 20);
  Buffer moved = *std::move(small);
  CHECK(moved.size() == 100);
  moved = *std::move(big);
  CHECK(moved.size() == 5 << 20);
  CHECK(Buffer::allocate(0)->size() == 0);
  const Result<Buffer> impossible = Buffer::allocate(SIZE_MAX);
  REQUIRE(!impossible.ok());
  CHECK(impossible.status().code() == Code::kResourceExhausted);
}

TEST_CASE("populating takes the memory at once and keeps what it holds", "[base][buffer]") {
  constexpr size_t kBytes = size_t(64) << 20;
  Buffer buffer = *Buffer::allocate(kBytes);
  const uint64_t before = read_memory_info().resident_bytes;
  buffer.data()[kBytes / 2 + 5] = std::byte(7);
  buffer.populate(0, kBytes / 2 + 1);
  buffer.populate(kBytes / 2 + 1, 2 * kBytes);  // to the end, not beyond
  CHECK(read_memory_info().resident_bytes - before > kBytes * 9 / 10);
  CHECK(buffer.data()[kBytes / 2 + 5] == std::byte(7));
  Buffer small = *Buffer::allocate(100);
  small.data()[99] = std::byte(3);
  small.populate(0, 100);
  small.populate(100, 1);
  CHECK(small.data()[99] == std::byte(3));
}

TEST_CASE("a workspace takes back what a scope handed out", "[base][workspace]") {
  Workspace ws(*Buffer::allocate(1024));
  float* first = ws.array<float>(3);
  {
    const auto scope = ws.scope();
    float* a = ws.array<float>(1);
    CHECK(a == first + 16);  // 64-byte steps
    CHECK(ws.mat<float>(2, 5).stride == 5);
  }
  CHECK(ws.array<float>(1) == first + 16);
  CHECK(ws.peak_bytes() == 192);
}
