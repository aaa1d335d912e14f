// Scratch memory of a step: allocated once, handed out by moving a pointer.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/buffer.h"
#include "base/check.h"
#include "base/math.h"
#include "base/tensor.h"

namespace tern {

/// One thread. What is handed out is uninitialised, aligned to 64 bytes and lives until the scope
/// it was taken in ends.
class Workspace {
 public:
  /// Takes back, when it ends, everything handed out since it began.
  class Scope {
   public:
    explicit Scope(Workspace& ws) : ws_(ws), mark_(ws.used_) {}
    ~Scope() { ws_.used_ = mark_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Workspace& ws_;
    const size_t mark_;
  };

  explicit Workspace(Buffer buffer) : buffer_(std::move(buffer)), size_(buffer_.size()) {}

  /// Has no memory and no end: hands out addresses that nobody may use, for a dry run
  /// (Exec::dry_run_threads) that asks peak_bytes() in the end.
  static Workspace measuring() {
    Workspace ws{Buffer()};
    ws.size_ = SIZE_MAX;
    return ws;
  }

  [[nodiscard]] Scope scope() { return Scope(*this); }

  /// Aborts where the workspace is too small: whoever made it had to know the largest step.
  template <class T>
  T* array(int64_t count) {
    const size_t bytes = footprint<T>(count);
    TERN_CHECK(bytes <= size_ - used_, "workspace too small for this step");
    T* p = reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(buffer_.data()) + used_);
    used_ += bytes;
    peak_ = std::max(peak_, used_);
    return p;
  }

  template <class T>
  MatView<T> mat(int64_t rows, int64_t cols) {
    return {array<T>(rows * cols), rows, cols, cols};
  }

  /// Bytes that array<T>(count) takes.
  template <class T>
  static constexpr size_t footprint(int64_t count) {
    return round_up(size_t(count) * sizeof(T), 64);
  }

  size_t size() const { return size_; }
  size_t peak_bytes() const { return peak_; }

 private:
  Buffer buffer_;
  size_t size_ = 0;
  size_t used_ = 0;
  size_t peak_ = 0;
};

}  // namespace tern
