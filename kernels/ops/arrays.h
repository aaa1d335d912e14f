// What an operation reads and writes, so that one harness can bring its arguments to any device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/tensor.h"
#include "kernels/formats/packing.h"

namespace tern {

enum class Access : uint8_t {
  kRead,
  kWrite,   ///< what was there is not looked at
  kUpdate,  ///< read, then written; or written in part
};

/// Gets every array of an operation's arguments from Op::arrays(args, visitor), and may let the
/// arguments point elsewhere. Arrays may overlap where the operation says so.
class ArrayVisitor {
 public:
  virtual ~ArrayVisitor() = default;

  template <class T>
  void array(T*& data, int64_t count, Access access) {
    if (data == nullptr) return;
    data =
        reinterpret_cast<T*>(visit(const_cast<std::byte*>(reinterpret_cast<const std::byte*>(data)),
                                   size_t(count) * sizeof(T), access));
  }
  template <class T>
  void array(const T*& data, int64_t count) {
    array(data, count, Access::kRead);
  }
  template <class T>
  void rows(MatView<T>& m, Access access) {
    array(m.data, m.rows == 0 ? 0 : (m.rows - 1) * m.stride + m.cols, access);
  }
  template <class T>
  void rows(MatView<const T>& m) {
    rows(m, Access::kRead);
  }
  void weights(WeightView& w) {
    array(w.data, int64_t(w.format.packed_bytes(w.rows, w.cols)));
    array(w.input_order, w.cols);
  }

 protected:
  /// `bytes` bytes at `data`; returns where they are from now on.
  virtual std::byte* visit(std::byte* data, size_t bytes, Access access) = 0;
};

}  // namespace tern
