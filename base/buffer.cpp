#include "base/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
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
  // Advice: the kernel may decline, and nothing but speed changes. Whole pages only, so that no
  // more memory is used than was asked for.
  if (alignment == kHugePage)
    (void)madvise(buffer.data_, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return buffer;
}

void Buffer::populate(size_t first, size_t bytes) {
  bytes = std::min(bytes, size_ - std::min(first, size_));
  if (bytes == 0) return;
#ifdef MADV_POPULATE_WRITE
  const auto page = uintptr_t(::sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<uintptr_t>(data_) + first;
  const uintptr_t begin = at / page * page, end = round_up(at + bytes, page);
  (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
#endif
}

}  // namespace tern
