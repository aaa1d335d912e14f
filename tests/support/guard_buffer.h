// Memory for tests that shows every access beyond its ends.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/math.h"

namespace tern {

/// `count` elements between two inaccessible pages, as close to the second as `alignment` allows:
/// with the default, one element too far crashes, read or written. What lies between is all ones
/// (NaN as float) and watched by intact(). The elements start out as all ones too.
template <class T>
class GuardBuffer {
 public:
  explicit GuardBuffer(int64_t count, size_t alignment = alignof(T)) : count_(count) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE)),
                 bytes = round_up(count * sizeof(T), alignment);
    inner_bytes_ = round_up(std::max<size_t>(bytes, 1), page);
    mapped_bytes_ = inner_bytes_ + 2 * page;
    void* p = mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TERN_CHECK(p != MAP_FAILED, "mmap");
    mapped_ = static_cast<std::byte*>(p);
    TERN_CHECK(mprotect(inner(), inner_bytes_, PROT_READ | PROT_WRITE) == 0, "mprotect");
    std::memset(inner(), 0xff, inner_bytes_);
    data_ = reinterpret_cast<T*>(inner() + inner_bytes_ - bytes);
  }
  ~GuardBuffer() {
    if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
  }
  GuardBuffer(GuardBuffer&& other) noexcept { swap(other); }
  GuardBuffer& operator=(GuardBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  T* data() const { return data_; }
  int64_t size() const { return count_; }
  T* begin() const { return data_; }
  T* end() const { return data_ + count_; }
  T& operator[](int64_t i) const { return data_[i]; }

  void poison() { std::memset(static_cast<void*>(data_), 0xff, count_ * sizeof(T)); }

  /// From now on a write to the elements crashes: for inputs.
  void make_read_only() { TERN_CHECK(mprotect(inner(), inner_bytes_, PROT_READ) == 0, "mprotect"); }

  /// Nobody wrote between the pages but to the elements.
  bool intact() const {
    const auto untouched = [](std::byte b) { return b == std::byte(0xff); };
    const std::byte* first = reinterpret_cast<const std::byte*>(data_);
    return std::all_of(inner(), first, untouched) &&
           std::all_of(first + count_ * sizeof(T), inner() + inner_bytes_, untouched);
  }

 private:
  const std::byte* inner() const { return mapped_ + (mapped_bytes_ - inner_bytes_) / 2; }
  std::byte* inner() { return mapped_ + (mapped_bytes_ - inner_bytes_) / 2; }
  void swap(GuardBuffer& other) {
    std::swap(mapped_, other.mapped_);
    std::swap(data_, other.data_);
    std::swap(mapped_bytes_, other.mapped_bytes_);
    std::swap(inner_bytes_, other.inner_bytes_);
    std::swap(count_, other.count_);
  }

  std::byte* mapped_ = nullptr;
  T* data_ = nullptr;
  size_t mapped_bytes_ = 0;
  size_t inner_bytes_ = 0;
  int64_t count_ = 0;
};

}  // namespace tern
