// A weight matrix as a file holds it: rows of floats, or of codes with their scales. Every file
// format gives its tensors in this form, and every packed format takes them so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/encoding.h"
#include "base/tensor.h"

namespace tern {

/// Takes [data, data + bytes) of a file that is mapped read-only out of this process's resident
/// memory; the page cache keeps it, and reading brings it back. Memory of another kind would lose
/// what it holds.
void release_file(const void* data, uint64_t bytes);

/// A [rows, cols] matrix. A vector is one row; a tensor of rank 3 has the rows of all its matrices.
/// Immutable; any thread. Views what the source it came from has mapped.
class RowSource {
 public:
  /// `bytes`: what the rows take in their file.
  RowSource(int64_t rows, int64_t cols, const Encoding& encoding, uint64_t bytes)
      : rows_(rows), cols_(cols), bytes_(bytes), encoding_(encoding) {}
  virtual ~RowSource() = default;

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  uint64_t bytes() const { return bytes_; }
  const Encoding& encoding() const { return encoding_; }
  int64_t groups() const {
    return encoding_.is_codes() ? (cols_ + encoding_.group - 1) / encoding_.group : 0;
  }

  /// out[0, cols): the weights as f32; floats exact, codes as fma(a, c, b).
  virtual void read(int64_t row, float* out) const = 0;

  /// codes[0, cols), each below 2^bits, and a, b[0, groups), which f16 holds exactly. Only where
  /// encoding().is_codes().
  virtual void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const = 0;

  /// The row's floats as its file holds them, of encoding().dtype; null for codes, and for floats
  /// that are changed on their way.
  virtual const std::byte* stored(int64_t row) const {
    (void)row;
    return nullptr;
  }

  /// [cols]: the column of the activations that each column meets; null where encoding().input is
  /// not kGather.
  virtual const int32_t* input_order() const { return nullptr; }

  /// Says that rows [first_row, first_row + num_rows) will not be read soon: where they lie in a
  /// mapped file, their pages leave the process. Any thread.
  virtual void release(int64_t first_row, int64_t num_rows) const {
    (void)first_row, (void)num_rows;
  }

 private:
  int64_t rows_, cols_;
  uint64_t bytes_;
  Encoding encoding_;
};

/// Where a tensor's data lies: release() gives back a file's pages only.
enum class TensorMemory : uint8_t { kOwned, kMappedFile };

/// The rows of a dense tensor of floats (is_float); a tensor of rank 1 is one row.
std::unique_ptr<RowSource> make_dense_rows(const TensorView& tensor,
                                           TensorMemory memory = TensorMemory::kOwned);

/// The rows of all `parts`, one after the other. At least one part; all with as many columns and
/// the same encoding.
std::unique_ptr<RowSource> make_row_stack(std::vector<std::unique_ptr<RowSource>> parts);

}  // namespace tern
