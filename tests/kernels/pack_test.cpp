// Packing moves weights in vectors; what it writes is what one weight at a time would.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "kernels/formats/bfp16.h"
#include "kernels/formats/code_panels.h"
#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

struct Shape {
  int64_t rows, cols;
};
// Around 16 rows, a vector, a cache line of each type, a group and a block of codes.
constexpr Shape kShapes[] = {{16, 64},  {1, 1},    {15, 31},  {17, 33}, {32, 7},   {48, 127},
                             {64, 160}, {33, 256}, {16, 130}, {31, 96}, {80, 1029}};

/// Weight (row, k) of a dense panel format, one at a time.
void pack_dense_scalar(const Format& f, const RowSource& source, std::byte* packed) {
  const int64_t cols = source.cols(), step = f.packing == &kBf16DotPacking ? 2 : 1;
  const int64_t panel = kPanelRows * round_up(cols, step);
  std::vector<float> row(cols);
  for (int64_t r = 0; r < source.rows(); ++r) {
    source.read(r, row.data());
    for (int64_t k = 0; k < cols; ++k) {
      const int64_t at =
          r / kPanelRows * panel + (k / step * kPanelRows + r % kPanelRows) * step + k % step;
      if (f.packing->type == "f32") reinterpret_cast<float*>(packed)[at] = row[k];
      if (f.packing->type == "f16") reinterpret_cast<F16*>(packed)[at] = to_f16(row[k]);
      if (f.packing->type == "bf16") reinterpret_cast<Bf16*>(packed)[at] = to_bf16(row[k]);
    }
  }
}

void pack_codes_scalar(const Format& f, const RowSource& source, std::byte* packed) {
  const CodePanels p = CodePanels::of(f.encoding, source.cols());
  std::vector<uint8_t> codes(source.cols());
  std::vector<float> a(p.num_groups), b(p.num_groups);
  for (int64_t r = 0; r < source.rows(); ++r) {
    std::byte* panel = packed + r / kPanelRows * p.panel_bytes;
    const int64_t lane = r % kPanelRows;
    source.read_codes(r, codes.data(), a.data(), b.data());
    for (int64_t k = 0; k < source.cols(); ++k) {
      const int64_t in_block = k % p.block_cols, byte = std::array{0, 2, 1, 3}[in_block % 4];
      panel[k / p.block_cols * CodePanels::kBlockBytes + lane * 4 + byte] |=
          std::byte(codes[k] << (in_block < 4 ? 0 : 4));
    }
    for (int64_t g = 0; g < p.num_groups; ++g) {
      F16* scales = reinterpret_cast<F16*>(panel + p.scales_begin() + g * p.group_bytes);
      scales[lane] = to_f16(a[g]);
      if (f.encoding.offset) scales[kPanelRows + lane] = to_f16(b[g]);
    }
  }
}

/// Of each group, integers in units of the 12th bit of its largest.
void pack_bfp16_scalar(const RowSource& source, std::byte* packed) {
  const Bfp16Panels p = Bfp16Panels::of(source.cols());
  std::vector<float> row(p.num_groups * kBfp16Group);
  for (int64_t r = 0; r < source.rows(); ++r) {
    std::byte* panel = packed + r / kPanelRows * p.panel_bytes;
    const int64_t lane = r % kPanelRows;
    source.read(r, row.data());
    for (int64_t g = 0; g < p.num_groups; ++g) {
      const float* w = row.data() + g * kBfp16Group;
      float largest = 0;
      for (int64_t k = 0; k < kBfp16Group; ++k) largest = std::max(largest, std::abs(w[k]));
      if (largest == 0) continue;
      const int unit = std::max(std::ilogb(largest) - 11, -126);
      for (int64_t k = 0; k < kBfp16Group; ++k)
        reinterpret_cast<int16_t*>(
            panel)[((g * kBfp16Group + k) / 2 * kPanelRows + lane) * 2 + k % 2] =
            int16_t(std::nearbyint(std::ldexp(double(w[k]), -unit)));
      panel[p.exponents_begin() + g * kPanelRows + lane] = std::byte(unit + 127);
    }
  }
}

class RandomCodes final : public RowSource {
 public:
  RandomCodes(const Format& f, Shape shape) : RowSource(shape.rows, shape.cols, f.encoding, 0) {}

  void read(int64_t, float*) const override { TERN_CHECK(false, "packed as codes"); }
  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    for (int64_t k = 0; k < cols(); ++k)
      codes[k] = uint8_t(random_bits(3, RngStream::kTest, row * cols() + k) >> 9 &
                         ((1u << encoding().bits) - 1));
    for (int64_t g = 0; g < groups(); ++g) {
      a[g] = to_float(to_f16(random_value(Values::kPlain, 4, row * groups() + g)));
      b[g] = to_float(to_f16(random_value(Values::kOutliers, 5, row * groups() + g)));
    }
  }
};

/// Dense rows of random bits of `dtype` (every number there is but NaN), at the end of a page.
struct DenseWeights {
  GuardBuffer<std::byte> bytes;
  std::unique_ptr<RowSource> rows;

  DenseWeights(DType dtype, Shape shape)
      : bytes(shape.rows * shape.cols * dtype_bytes(dtype), dtype_bytes(dtype)) {
    for (int64_t i = 0; i < shape.rows * shape.cols; ++i) {
      const auto bits = uint32_t(random_bits(7, RngStream::kTest, i));
      if (dtype == DType::kF32) {
        // Of f16's range too, so that every format holds it.
        const float value = i % 3 ? random_value(Values::kOutliers, 8, i) : float(bits & 1023);
        std::memcpy(bytes.data() + 4 * i, &value, 4);
      } else {
        // The lowest bit of the exponent is never set: neither infinite nor NaN.
        const auto half = uint16_t(bits & (dtype == DType::kBf16 ? 0xff7f : 0xfbff));
        std::memcpy(bytes.data() + 2 * i, &half, 2);
      }
    }
    bytes.make_read_only();
    rows = make_dense_rows(
        {.data = bytes.data(), .dtype = dtype, .rank = 2, .shape = {shape.rows, shape.cols, 1, 1}});
  }
};

/// Packs `source` in ranges of `rows_per_call` and compares every byte.
void check_packing(const Format& f, const RowSource& source, int64_t rows_per_call) {
  const size_t size = f.packed_bytes(source.rows(), source.cols());
  REQUIRE(size > 0);
  GuardBuffer<std::byte> packed(size, 64);
  std::memset(packed.data(), 0xa5, size);  // packing writes every byte
  for (int64_t r = 0; r < source.rows(); r += rows_per_call)
    f.packing->pack_rows(f.encoding, source, r, std::min(rows_per_call, source.rows() - r),
                         packed.data());
  std::vector<std::byte> expected(size);
  if (f.encoding.is_codes())
    pack_codes_scalar(f, source, expected.data());
  else if (f.packing == &kBfp16Packing)
    pack_bfp16_scalar(source, expected.data());
  else
    pack_dense_scalar(f, source, expected.data());
  CHECK(std::memcmp(packed.data(), expected.data(), size) == 0);
}

}  // namespace

TEST_CASE("every format packs codes and floats as one weight at a time would",
          "[kernels][pack][EC-16]") {
  const Format f = GENERATE(from_range(example_formats()));
  const Shape shape = GENERATE(from_range(std::begin(kShapes), std::end(kShapes)));
  const int64_t rows_per_call = GENERATE(16, 1024);
  CAPTURE(f.name(), shape.rows, shape.cols, rows_per_call);
  if (f.encoding.is_codes()) return check_packing(f, RandomCodes(f, shape), rows_per_call);
  const DType dtype = GENERATE(DType::kF32, DType::kF16, DType::kBf16);
  CAPTURE(dtype_name(dtype));
  check_packing(f, *DenseWeights(dtype, shape).rows, rows_per_call);
}

TEST_CASE("stacked rows pack as the matrix that they make", "[kernels][pack]") {
  const Format f{&kBf16Packing, Encoding::floats(DType::kBf16)};
  const DenseWeights first(DType::kBf16, {20, 70}), second(DType::kBf16, {29, 70});
  std::vector<std::unique_ptr<RowSource>> parts;
  for (const DenseWeights* w : {&first, &second})
    parts.push_back(make_dense_rows({.data = w->bytes.data(),
                                     .dtype = DType::kBf16,
                                     .rank = 2,
                                     .shape = {w->rows->rows(), 70, 1, 1}}));
  check_packing(f, *make_row_stack(std::move(parts)), 16);
}
