#include "bench/memory.h"

#include <algorithm>
#include <string>

#include "base/memory_info.h"
#include "base/rng.h"

namespace tern {

Result<Buffer> allocate_checked(size_t bytes) {
  const uint64_t available = read_memory_info().available_bytes();
  if (bytes > available)
    return Status(Code::kResourceExhausted, std::to_string(bytes) + " bytes are needed, " +
                                                std::to_string(available) + " are left");
  return Buffer::allocate(bytes);
}

float* CaseMemory::random(int64_t count) {
  constexpr int64_t kPeriod = 4093;  // prime, so that rows differ
  float* out = take<float>(count);
  if (out == nullptr) return nullptr;
  for (int64_t i = 0; i < std::min(kPeriod, count); ++i)
    out[i] = static_cast<float>(random_uniform(1, RngStream::kTest, uint64_t(i)) * 2 - 1);
  for (int64_t i = kPeriod; i < count; ++i) out[i] = out[i - kPeriod];
  return out;
}

std::byte* CaseMemory::take_bytes(size_t bytes) {
  if (!status_.ok()) return nullptr;
  Result<Buffer> buffer = allocate_checked(std::max<size_t>(bytes, 64));
  if (!buffer.ok()) {
    status_ = buffer.status();
    return nullptr;
  }
  buffers_.push_back(*std::move(buffer));
  return buffers_.back().data();
}

}  // namespace tern
