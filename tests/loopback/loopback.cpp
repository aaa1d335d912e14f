// libtern_loopback.so: a device that is none. Its memory is the host's behind addresses that fault
// whenever no kernel of its own runs, its kernels are the references. What runs on it has no hidden
// access of the host, so it will run on a device that has none.
#include "tests/loopback/loopback.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <string>

#include "base/check.h"
#include "base/math.h"
#include "kernels/formats/kv_panels.h"
#include "kernels/ops/device_plugin.h"

namespace tern {
namespace {

/// One range of addresses, given out from its begin on in whole pages.
class LoopbackMemory final : public DeviceMemory {
 public:
  LoopbackMemory() {
    void* data =
        mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    TERN_CHECK(data != MAP_FAILED, "address space for the loopback device");
    begin_ = static_cast<std::byte*>(data);
    free_[0] = kSize;
  }

  Result<void*> allocate(size_t bytes) override {
    const std::lock_guard lock(mutex_);
    const size_t wanted = pages(bytes);
    for (auto& [offset, size] : free_) {
      if (size < wanted) continue;
      const size_t at = offset, rest = size - wanted;
      free_.erase(at);
      if (rest > 0) free_[at + wanted] = rest;
      end_ = std::max(end_, at + wanted);
      return static_cast<void*>(begin_ + at);
    }
    return Status(Code::kResourceExhausted, "cannot allocate " + std::to_string(bytes) + " bytes");
  }

  void free(void* data, size_t bytes) override {
    const std::lock_guard lock(mutex_);
    size_t at = size_t(static_cast<std::byte*>(data) - begin_), size = pages(bytes);
    TERN_CHECK(madvise(data, size, MADV_DONTNEED) == 0, "madvise");
    auto next = free_.lower_bound(at);
    if (next != free_.end() && next->first == at + size) {
      size += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin() && std::prev(next)->first + std::prev(next)->second == at)
      std::prev(next)->second += size;
    else
      free_[at] = size;
  }

  void copy_to_device(void* to, const void* from, size_t bytes, void*) override {
    check_mine(to, bytes);
    const Access access(*this);
    std::memcpy(to, from, bytes);
  }
  void copy_to_host(void* to, const void* from, size_t bytes, void*) override {
    check_mine(from, bytes);
    const Access access(*this);
    std::memcpy(to, from, bytes);
  }
  void copy_on_device(void* to, const void* from, size_t bytes, void*) override {
    check_mine(to, bytes);
    check_mine(from, bytes);
    const Access access(*this);
    std::memcpy(to, from, bytes);
  }
  void wait(void*) override {}

  void check_mine(const void* data, size_t bytes) const {
    const auto* first = static_cast<const std::byte*>(data);
    TERN_CHECK(bytes == 0 || (first >= begin_ && first + bytes <= begin_ + kSize),
               "a kernel of the loopback device was given memory of the host");
  }

  /// The memory can be used as long as one lives.
  class Access {
   public:
    explicit Access(LoopbackMemory& memory) : memory_(memory), lock_(memory.mutex_) {
      memory_.protect(PROT_READ | PROT_WRITE);
    }
    ~Access() { memory_.protect(PROT_NONE); }

   private:
    LoopbackMemory& memory_;
    const std::lock_guard<std::mutex> lock_;
  };

 private:
  static constexpr size_t kSize = size_t(64) << 30;  // of addresses

  static size_t pages(size_t bytes) { return round_up(bytes, size_t(sysconf(_SC_PAGESIZE))); }

  void protect(int how) {
    if (end_ > 0) TERN_CHECK(mprotect(begin_, end_, how) == 0, "mprotect");
  }

  std::mutex mutex_;
  std::byte* begin_ = nullptr;
  size_t end_ = 0;                 // nothing was ever given out from here on
  std::map<size_t, size_t> free_;  // by offset
};

LoopbackMemory& memory() {
  static auto* memory =
      new LoopbackMemory;  // never destroyed: buffers of the program may outlive statics
  return *memory;
}

/// A kernel must be given the device's arrays alone.
class CheckArrays final : public ArrayVisitor {
 protected:
  std::byte* visit(std::byte* data, size_t bytes, tern::Access) override {
    memory().check_mine(data, bytes);
    return data;
  }
};

template <class Op, void (*kRun)(const typename Op::Args&, const Exec&)>
void run_inside(const typename Op::Args& a, const Exec& ex) {
  typename Op::Args args = a;
  CheckArrays check;
  Op::arrays(args, check);
  const LoopbackMemory::Access access(memory());
  kRun(args, ex);
}

template <class Op, void (*kRun)(const typename Op::Args&, const Exec&)>
void add(KernelTable<Op>& table, Device device,
         const typename Kernel<Op>::Layout* layout = nullptr) {
  table.add({.name = "loopback", .device = device, .layout = layout, .run = run_inside<Op, kRun>});
}

void add_kernels(KernelRegistry& r, Device device) {
  for (const Packing* p : packings()) add<Gemm, gemm_ref>(r.gemm, device, p);
  add<QuantizeInput, quantize_input_ref>(r.quantize_input, device);
  add<RmsNorm, rmsnorm_ref>(r.rmsnorm, device);
  add<Rope, rope_ref>(r.rope, device);
  add<GatedActivation, gated_activation_ref>(r.gated_activation, device);
  add<Softcap, softcap_ref>(r.softcap, device);
  add<Add, add_ref>(r.add, device);
  add<Embed, embed_ref>(r.embed, device);
  add<GatherRows, gather_rows_ref>(r.gather_rows, device);
  add<GatherCols, gather_cols_ref>(r.gather_cols, device);
  add<KvWrite, kv_write_ref>(r.kv_write, device, &kKvPanels);
  add<Attention, attention_ref>(r.attention, device, &kKvPanels);
}

Result<DeviceMemory*> open(int ordinal) {
  if (ordinal != 0)
    return invalid_argument("device: there is one loopback device, number 0, not " +
                            std::to_string(ordinal));
  return static_cast<DeviceMemory*>(&memory());
}

}  // namespace
}  // namespace tern

extern "C" const tern::DevicePlugin* tern_device_plugin() {
  static const tern::DevicePlugin plugin{
      .name = "loopback", .add_kernels = tern::add_kernels, .open = tern::open};
  return &plugin;
}

extern "C" const tern::LoopbackAccess* tern_loopback_access() {
  static const tern::LoopbackAccess access{
      .check = [](const void* data, size_t bytes) { tern::memory().check_mine(data, bytes); },
      .run =
          [](void (*run)(const void*), const void* args) {
            const tern::LoopbackMemory::Access access(tern::memory());
            run(args);
          }};
  return &access;
}
