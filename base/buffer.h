// Owning, aligned, uninitialised memory for big arrays: weights, KV cache, workspace.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <utility>

#include "base/math.h"
#include "base/status.h"

namespace tern {

/// Move-only. Aligned to 64 bytes (a cache line, a 512-bit vector); huge pages are asked for where
/// the size is worth it.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  /// kResourceExhausted, naming the size, where there is not enough memory.
  static Result<Buffer> allocate(size_t bytes);

  /// Takes the memory of [first, first + bytes) from the system now, not at its first use; keeps
  /// what it holds. Any thread, beside users of the buffer. Systems that cannot do so do nothing.
  void populate(size_t first, size_t bytes);

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tern
