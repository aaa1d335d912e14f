#include "tests/support/count_allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

static std::atomic<uint64_t> count{0}, bytes{0};

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++count;
  bytes += size;
  return std::malloc(size > 0 ? size : 1);
}
void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace tern::test {

uint64_t num_allocations() {
  return count;
}

uint64_t allocated_bytes() {
  return bytes;
}

}  // namespace tern::test
