// Owning, aligned, uninitialised memory for big arrays: weights, KV cache, workspace.
#pragma once

#include <cstddef>
#include <utility>

#include "base/device_memory.h"
#include "base/status.h"

namespace tern {

/// Move-only. Aligned to 64 bytes (a cache line, a 512-bit vector).
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) memory_->free(data_, size_);
  }

  /// kResourceExhausted, naming the size, where there is not enough of `memory`, which must outlive
  /// the buffer.
  static Result<Buffer> allocate(size_t bytes, DeviceMemory& memory = host_memory());

  /// What `host`, a buffer of the host, holds, in `memory`: itself where that is the host's.
  static Result<Buffer> upload(Buffer host, DeviceMemory& memory);

  /// DeviceMemory::populate, of [first, first + bytes) of the buffer. Any thread, beside its users.
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
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  DeviceMemory* memory_ = nullptr;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tern
