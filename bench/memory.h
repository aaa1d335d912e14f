// Memory of a size that the user chose.
#pragma once

#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/tensor.h"

namespace tern {

/// kResourceExhausted, naming both sizes, where that is more than the machine or its control group
/// leaves: the kernel promises more than there is.
Result<Buffer> allocate_checked(size_t bytes);

/// The arrays of one case. After a failure everything is null and empty: ask status() at the end.
class CaseMemory {
 public:
  /// `count` elements, uninitialised.
  template <class T>
  T* take(int64_t count) {
    return reinterpret_cast<T*>(take_bytes(size_t(count) * sizeof(T)));
  }
  /// Plain numbers within ±1: a short random sequence again and again.
  float* random(int64_t count);
  MatView<float> random(int64_t rows, int64_t cols) {
    return {random(rows * cols), rows, cols, cols};
  }

  /// What allocate_checked() said first.
  const Status& status() const { return status_; }

 private:
  std::byte* take_bytes(size_t bytes);

  std::vector<Buffer> buffers_;
  Status status_;
};

}  // namespace tern
