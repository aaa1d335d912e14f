#include <catch2/catch.hpp>

#include "base/buffer.h"
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
