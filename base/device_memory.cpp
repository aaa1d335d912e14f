#include "base/device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/math.h"

namespace tern {
namespace {

class HostMemory final : public DeviceMemory {
 public:
  Result<void*> allocate(size_t bytes) override {
    constexpr size_t kHugePage = size_t(2) << 20;
    const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
    void* data =
        bytes > SIZE_MAX / 2 ? nullptr : std::aligned_alloc(alignment, round_up(bytes, alignment));
    if (data == nullptr)
      return Status(Code::kResourceExhausted,
                    "cannot allocate " + std::to_string(bytes) + " bytes");
    // Advice: the kernel may decline, and nothing but speed changes. Whole pages only, so that no
    // more memory is used than was asked for.
    if (alignment == kHugePage) (void)madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    return data;
  }

  void free(void* data, size_t) override { std::free(data); }

  void copy_to_device(void* to, const void* from, size_t bytes, void*) override {
    std::memcpy(to, from, bytes);
  }
  void copy_to_host(void* to, const void* from, size_t bytes, void*) override {
    std::memcpy(to, from, bytes);
  }
  void copy_on_device(void* to, const void* from, size_t bytes, void*) override {
    std::memcpy(to, from, bytes);
  }
  void wait(void*) override {}

  bool is_host() const override { return true; }

  void populate(void* data, size_t bytes) override {
#ifdef MADV_POPULATE_WRITE
    const auto page = uintptr_t(::sysconf(_SC_PAGESIZE));
    const auto at = reinterpret_cast<uintptr_t>(data);
    const uintptr_t begin = at / page * page, end = round_up(at + bytes, page);
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
#else
    (void)data, (void)bytes;
#endif
  }
};

}  // namespace

DeviceMemory& host_memory() {
  static HostMemory memory;
  return memory;
}

}  // namespace tern
