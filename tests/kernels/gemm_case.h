// A matrix product for tests: packed random weights, and inputs as kernels read them.
#pragma once

#include "kernels/formats/code_panels.h"
#include "tests/kernels/kernel_test.h"

namespace tern {

/// Rows of random codes, or of random floats, for `f`.
class RandomRows final : public RowSource {
 public:
  RandomRows(const Format& f, int64_t rows, int64_t cols, Values values, uint64_t seed)
      : RowSource(rows, cols, f.encoding, 0), values_(values), seed_(seed) {}

  void read(int64_t row, float* out) const override {
    for (int64_t k = 0; k < cols(); ++k) out[k] = random_value(values_, seed_, row * cols() + k);
  }

  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    for (int64_t k = 0; k < cols(); ++k)
      codes[k] = uint8_t(random_bits(seed_, RngStream::kTest, row * cols() + k) >> 7 &
                         ((1u << encoding().bits) - 1));
    for (int64_t g = 0; g < groups(); ++g) {
      const uint64_t i = row * groups() + g;
      a[g] = to_float(to_f16(random_value(Values::kPlain, seed_ + 1, i)));
      b[g] = to_float(to_f16(random_value(Values::kOutliers, seed_ + 2, i)));
    }
  }

 private:
  const Values values_;
  const uint64_t seed_;
};

/// A packed random weight.
struct Weight {
  GuardBuffer<std::byte> bytes;
  WeightView view;

  Weight(const Format& f, int64_t rows, int64_t cols, Values values, uint64_t seed)
      : bytes(f.packed_bytes(rows, cols), 64), view{bytes.data(), f, rows, cols} {
    const RandomRows source(f, rows, cols, values, seed);
    f.packing->pack_rows(f.encoding, source, 0, rows, bytes.data());
    bytes.make_read_only();
  }
};

/// `x` as the kernels of `f` read it.
struct Input {
  std::vector<std::byte> bytes;
  InputView view;

  Input(const Format& f, MatView<const float> x) {
    if (f.packing->input->is_plain()) {
      view = f32_input(x);
      return;
    }
    const int64_t stride = f.input_row_bytes(x.cols);
    bytes.resize(x.rows * stride);
    quantize_input_ref(
        {.x = x, .layout = f.packing->input, .group = f.encoding.group, .out = bytes.data()}, {});
    view = {bytes.data(), x.rows, x.cols, stride};
  }
};

struct Shape {
  int64_t rows, out, in;
};

}  // namespace tern
