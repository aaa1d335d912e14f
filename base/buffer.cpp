#include "base/buffer.h"

#include <algorithm>

namespace tern {

Result<Buffer> Buffer::allocate(size_t bytes, DeviceMemory& memory) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  TERN_ASSIGN(void* data, memory.allocate(bytes));
  buffer.memory_ = &memory;
  buffer.data_ = static_cast<std::byte*>(data);
  buffer.size_ = bytes;
  return buffer;
}

Result<Buffer> Buffer::upload(Buffer host, DeviceMemory& memory) {
  if (memory.is_host() || host.size() == 0) return host;
  TERN_ASSIGN(Buffer buffer, allocate(host.size(), memory));
  memory.copy_to_device(buffer.data(), host.data(), host.size(), nullptr);
  memory.wait(nullptr);
  return buffer;
}

void Buffer::populate(size_t first, size_t bytes) {
  bytes = std::min(bytes, size_ - std::min(first, size_));
  if (bytes > 0) memory_->populate(data_ + first, bytes);
}

}  // namespace tern
