// Arguments of operations, staged on a device: what lets one test and one benchmark run the kernels
// of any.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "kernels/registry.h"

namespace tern {

/// The arrays of one operation's arguments on a device: each range of memory once, however many
/// arguments see it, between guard bytes; brought there, and back.
class StagedArrays final : public ArrayVisitor {
 public:
  explicit StagedArrays(DeviceMemory& memory) : memory_(memory) {}

  /// Lets `args` point to copies on the device; itself where that is the host. Once.
  /// kResourceExhausted where its memory is short.
  template <class Op>
  Status stage(std::span<typename Op::Args> args) {
    if (memory_.is_host()) return {};
    for (auto& a : args) Op::arrays(a, *this);
    merge();
    for (Range& range : ranges_) TERN_TRY(bring(range));
    is_staged_ = true;
    for (auto& a : args) Op::arrays(a, *this);
    return {};
  }

  /// Brings back what may have been written. Aborts, as a test wants it, where a kernel wrote
  /// anything else: a guard, or an input.
  void bring_back() {
    for (Range& range : ranges_) {
      std::vector<std::byte> now(range.staged.size());
      memory_.copy_to_host(now.data(), range.buffer.data(), now.size(), nullptr);
      memory_.wait(nullptr);
      const auto same = [&](size_t begin, size_t end) {
        return std::equal(now.begin() + begin, now.begin() + end, range.staged.begin() + begin);
      };
      const size_t size = range.size(), end = kGuard + size;
      TERN_CHECK(same(0, kGuard) && same(end, end + kGuard), "a kernel wrote beside its arrays");
      if (range.is_written)
        std::memcpy(range.begin, now.data() + kGuard, size);
      else
        TERN_CHECK(same(kGuard, end), "a kernel wrote to an input");
    }
  }

 protected:
  std::byte* visit(std::byte* data, size_t bytes, Access access) override {
    if (bytes == 0) return data;
    if (!is_staged_) {
      ranges_.push_back({data, data + bytes, access != Access::kRead, {}, {}});
      return data;
    }
    for (Range& range : ranges_)
      if (data >= range.begin && data < range.end)
        return range.buffer.data() + kGuard + (data - range.begin);
    TERN_CHECK(false, "an array that was there when they were staged");
    return nullptr;
  }

 private:
  static constexpr size_t kGuard = 256;

  struct Range {
    std::byte *begin, *end;
    bool is_written;
    Buffer buffer;                  // guard, range, guard
    std::vector<std::byte> staged;  // what it held at first
    size_t size() const { return size_t(end - begin); }
  };

  // Arguments may see the same memory: rows in place, columns side by side.
  void merge() {
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    std::vector<Range> merged;
    for (Range& range : ranges_) {
      if (!merged.empty() && range.begin < merged.back().end) {
        merged.back().end = std::max(merged.back().end, range.end);
        merged.back().is_written |= range.is_written;
      } else {
        merged.push_back(std::move(range));
      }
    }
    ranges_ = std::move(merged);
  }

  Status bring(Range& range) {
    range.staged.assign(range.size() + 2 * kGuard, std::byte{0xa5});
    std::memcpy(range.staged.data() + kGuard, range.begin, range.size());
    TERN_ASSIGN(range.buffer, Buffer::allocate(range.staged.size(), memory_));
    memory_.copy_to_device(range.buffer.data(), range.staged.data(), range.staged.size(), nullptr);
    memory_.wait(nullptr);
    return {};
  }

  DeviceMemory& memory_;
  std::vector<Range> ranges_;
  bool is_staged_ = false;
};

}  // namespace tern
