#include "base/buffer.h"

#include <sys/mman.h>

#include <string>

namespace tern {

Result<Buffer> Buffer::allocate(size_t bytes) {
  constexpr size_t kHugePage = size_t(2) << 20;
  const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  Buffer buffer;
  if (bytes == 0) return buffer;
  if (bytes > SIZE_MAX / 2)
    return Status(Code::kResourceExhausted, "cannot allocate " + std::to_string(bytes) + " bytes");
  const size_t rounded = round_up(bytes, alignment);
  buffer.data_ = static_cast<std::byte*>(std::aligned_alloc(alignment, rounded));
  if (buffer.data_ == nullptr)
    return Status(Code::kResourceExhausted, "cannot allocate " + std::to_string(bytes) + " bytes");
  buffer.size_ = bytes;
  // Advice: the kernel may decline, and nothing but speed changes.
  if (alignment == kHugePage) (void)madvise(buffer.data_, rounded, MADV_HUGEPAGE);
  return buffer;
}

}  // namespace tern
