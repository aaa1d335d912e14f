#include "base/row_source.h"

#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/math.h"
#include "base/unaligned.h"

namespace tern {
namespace {

class DenseRows final : public RowSource {
 public:
  DenseRows(const TensorView& t, TensorMemory memory)
      : RowSource(t.rank < 2 ? 1 : t.num_elements() / last_dim(t), last_dim(t), {.dtype = t.dtype},
                  uint64_t(t.num_elements()) * dtype_bytes(t.dtype)),
        tensor_(t),
        memory_(memory) {}

  void read(int64_t row, float* out) const override {
    switch (tensor_.dtype) {
      case DType::kBf16:
        return widen<Bf16>(stored(row), out);
      case DType::kF16:
        return widen<F16>(stored(row), out);
      default:
        std::memcpy(out, stored(row), cols() * sizeof(float));
    }
  }

  void read_codes(int64_t, uint8_t*, float*, float*) const override {
    TERN_CHECK(false, "floats have no codes");
  }

  const std::byte* stored(int64_t row) const override {
    return static_cast<const std::byte*>(tensor_.data) + row * row_bytes();
  }

  void release(int64_t first_row, int64_t num_rows) const override {
    if (memory_ == TensorMemory::kMappedFile)
      release_file(stored(first_row), uint64_t(num_rows * row_bytes()));
  }

 private:
  static int64_t last_dim(const TensorView& t) { return t.shape[t.rank == 0 ? 0 : t.rank - 1]; }

  template <class T>
  void widen(const std::byte* values, float* out) const {
    for (int64_t i = 0; i < cols(); ++i) out[i] = to_float(load_unaligned<T>(values, i));
  }

  int64_t row_bytes() const { return cols() * dtype_bytes(tensor_.dtype); }

  const TensorView tensor_;
  const TensorMemory memory_;
};

class RowStack final : public RowSource {
 public:
  explicit RowStack(std::vector<std::unique_ptr<RowSource>> parts)
      : RowSource(sum(parts, &RowSource::rows), parts.front()->cols(), parts.front()->encoding(),
                  sum(parts, &RowSource::bytes)),
        parts_(std::move(parts)) {}

  void read(int64_t row, float* out) const override { part_of(row).read(row, out); }
  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    part_of(row).read_codes(row, codes, a, b);
  }
  const std::byte* stored(int64_t row) const override { return part_of(row).stored(row); }

  void release(int64_t first_row, int64_t num_rows) const override {
    for (const auto& part : parts_) {
      const int64_t rows = std::min(num_rows, part->rows() - first_row);
      if (rows > 0) {
        part->release(first_row, rows);
        num_rows -= rows;
      }
      first_row = std::max<int64_t>(first_row - part->rows(), 0);
    }
  }

 private:
  using Parts = std::vector<std::unique_ptr<RowSource>>;

  template <class T>
  static T sum(const Parts& parts, T (RowSource::*get)() const) {
    T total = 0;
    for (const auto& part : parts) total += (*part.*get)();
    return total;
  }

  /// The part that holds `row`, which becomes its row there.
  const RowSource& part_of(int64_t& row) const {
    size_t i = 0;
    while (row >= parts_[i]->rows()) row -= parts_[i++]->rows();
    return *parts_[i];
  }

  const Parts parts_;
};

}  // namespace

void release_file(const void* data, uint64_t bytes) {
  if (bytes == 0) return;
  // Whole pages: what a neighbour still needs of the first and the last comes back by itself.
  const auto page = uint64_t(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = reinterpret_cast<uintptr_t>(data) / page * page;
  const uint64_t end = round_up(reinterpret_cast<uintptr_t>(data) + bytes, page);
  (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::unique_ptr<RowSource> make_dense_rows(const TensorView& tensor, TensorMemory memory) {
  TERN_CHECK(is_float(tensor.dtype), "dense rows are floats");
  return std::make_unique<DenseRows>(tensor, memory);
}

std::unique_ptr<RowSource> make_row_stack(std::vector<std::unique_ptr<RowSource>> parts) {
  TERN_CHECK(!parts.empty(), "a stack has parts");
  for (const auto& part : parts)
    TERN_CHECK(part->cols() == parts[0]->cols() && part->encoding() == parts[0]->encoding(),
               "stacked rows are alike");
  return std::make_unique<RowStack>(std::move(parts));
}

}  // namespace tern
