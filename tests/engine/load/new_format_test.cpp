// A weight format that tern does not know: codes of 3 bits in groups of 64, whose columns are in an
// order of their own. One packing and one row of the gemm table are all that it takes to be chosen,
// packed, multiplied and served.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <map>

#include "base/math.h"
#include "base/rng.h"
#include "engine/io/weight_source.h"
#include "engine/step/score.h"
#include "kernels/registry.h"
#include "tests/support/source_dir.h"

using namespace tern;

namespace {

// --- the format: one packing, one row ---

constexpr Encoding kThreeBits = Encoding::affine(3, 64, true);

int64_t three_bit_row_bytes(const Encoding& e, int64_t cols) {
  return ceil_div(cols * e.bits, 8) + ceil_div(cols, e.group) * 4;
}

void pack_three_bits(const Encoding& e, const RowSource& source, int64_t first_row,
                     int64_t num_rows, std::byte* packed) {
  const int64_t cols = source.cols(), stride = three_bit_row_bytes(e, cols);
  std::vector<uint8_t> codes(cols);
  std::vector<float> a(source.groups()), b(source.groups());
  for (int64_t r = first_row; r < first_row + num_rows; ++r) {
    std::byte* row = packed + r * stride;
    std::memset(row, 0, stride);
    source.read_codes(r, codes.data(), a.data(), b.data());
    for (int64_t bit = 0; bit < cols * 3; ++bit)
      if (codes[bit / 3] >> bit % 3 & 1) row[bit / 8] |= std::byte(1 << bit % 8);
    for (int64_t g = 0; g < source.groups(); ++g) {
      const F16 scales[2] = {to_f16(a[g]), to_f16(b[g])};
      std::memcpy(row + ceil_div(cols * 3, 8) + 4 * g, scales, 4);
    }
  }
}

void unpack_three_bits(const WeightView& w, int64_t row, float* out) {
  const Encoding& e = w.format.encoding;
  const std::byte* data = w.data + row * three_bit_row_bytes(e, w.cols);
  for (int64_t k = 0; k < w.cols; ++k) {
    int code = 0;
    for (int64_t bit = 3 * k; bit < 3 * k + 3; ++bit)
      code |= (int(data[bit / 8]) >> bit % 8 & 1) << bit % 3;
    F16 scales[2];
    std::memcpy(scales, data + ceil_div(w.cols * 3, 8) + k / e.group * 4, 4);
    out[k] = std::fma(to_float(scales[0]), float(code), to_float(scales[1]));
  }
}

const Packing kThreeBitPacking = {
    .name = "int3_offset",
    .type = "int3",
    .takes = [](const Encoding& e) { return e == kThreeBits; },
    .packed_bytes = [](const Encoding& e, int64_t rows,
                       int64_t cols) { return size_t(rows * three_bit_row_bytes(e, cols)); },
    .pack_rows = pack_three_bits,
    .panel_rows = 1,
    .unpack_row = unpack_three_bits,
    .examples = {&kThreeBits, 1}};

const bool kAdded = [] {
  open_kernels().gemm.add({.name = "int3_ref", .layout = &kThreeBitPacking, .run = gemm_ref});
  return true;
}();

// --- a checkpoint that is written in it ---

/// What a quantizer made of a matrix: codes of `bits` bits, columns in an order of their own.
class QuantizedRows final : public RowSource {
 public:
  QuantizedRows(const RowSource& source, int bits)
      : RowSource(source.rows(), source.cols(), encoding_of(bits), source.bytes()) {
    const int64_t cols = source.cols();
    for (int64_t k = 0; k < cols; ++k) order_.push_back(int32_t(k));
    for (int64_t k = cols - 1; k > 0; --k)
      std::swap(order_[k], order_[random_bits(cols, RngStream::kTest, k) % (k + 1)]);
    std::vector<float> row(cols);
    for (int64_t r = 0; r < source.rows(); ++r) {
      source.read(r, row.data());
      quantize(row);
    }
  }

  void read(int64_t row, float* out) const override {
    for (int64_t k = 0; k < cols(); ++k) {
      const size_t g = row * groups() + k / encoding().group;
      out[k] = std::fma(a_[g], float(codes_[row * cols() + k]), b_[g]);
    }
  }
  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    std::copy_n(&codes_[row * cols()], cols(), codes);
    std::copy_n(&a_[row * groups()], groups(), a);
    std::copy_n(&b_[row * groups()], groups(), b);
  }
  const int32_t* input_order() const override { return order_.data(); }

  /// The weights in the order of the activations.
  std::vector<float> in_order() const {
    std::vector<float> all(rows() * cols()), row(cols());
    for (int64_t r = 0; r < rows(); ++r) {
      read(r, row.data());
      for (int64_t k = 0; k < cols(); ++k) all[r * cols() + order_[k]] = row[k];
    }
    return all;
  }

 private:
  static Encoding encoding_of(int bits) {
    Encoding e = Encoding::affine(bits, 64, true);
    e.input = InputTransform::kGather;
    return e;
  }

  void quantize(const std::vector<float>& row) {
    const int most = (1 << encoding().bits) - 1;
    for (int64_t begin = 0; begin < cols(); begin += encoding().group) {
      const int64_t end = std::min(cols(), begin + encoding().group);
      float low = row[order_[begin]], high = low;
      for (int64_t k = begin; k < end; ++k) {
        low = std::min(low, row[order_[k]]);
        high = std::max(high, row[order_[k]]);
      }
      a_.push_back(to_float(to_f16((high - low) / float(most))));
      b_.push_back(to_float(to_f16(low)));
      for (int64_t k = begin; k < end; ++k) {
        const float code = a_.back() > 0 ? (row[order_[k]] - b_.back()) / a_.back() : 0;
        codes_.push_back(uint8_t(std::clamp(std::lround(code), 0l, long(most))));
      }
    }
  }

  std::vector<int32_t> order_;
  std::vector<uint8_t> codes_;
  std::vector<float> a_, b_;
};

/// Owns the floats that its rows view.
class OwnedRows final : public RowSource {
 public:
  explicit OwnedRows(const QuantizedRows& q)
      : RowSource(q.rows(), q.cols(), Encoding::floats(DType::kF32), q.bytes()),
        values_(q.in_order()) {}
  void read(int64_t row, float* out) const override {
    std::copy_n(&values_[row * cols()], cols(), out);
  }
  void read_codes(int64_t, uint8_t*, float*, float*) const override {}

 private:
  const std::vector<float> values_;
};

/// The projections of a checkpoint in `bits` bits; or, for comparison, the same weights decoded.
class QuantizedSource final : public WeightSource {
 public:
  QuantizedSource(const std::string& path, int bits, bool decoded)
      : source_(*open_weights(path)), bits_(bits), decoded_(decoded) {}

  const std::string& path() const override { return source_->path(); }
  std::vector<TensorInfo> tensors() const override { return source_->tensors(); }

  Result<std::unique_ptr<RowSource>> get(std::string_view name,
                                         const std::vector<int64_t>& shape) const override {
    TERN_ASSIGN(std::unique_ptr<RowSource> rows, source_->get(name, shape));
    if (name.find("_proj.weight") == name.npos) return rows;
    auto quantized = std::make_unique<QuantizedRows>(*rows, bits_);
    if (decoded_) return std::unique_ptr<RowSource>(std::make_unique<OwnedRows>(*quantized));
    return std::unique_ptr<RowSource>(std::move(quantized));
  }

 private:
  const std::shared_ptr<const WeightSource> source_;
  const int bits_;
  const bool decoded_;
};

struct Served {
  std::map<std::string, int> formats;  // of the linear layers
  std::vector<float> logits;
};

/// The logits of a prompt through paged KV and chunked prefill.
Served serve(int bits, bool decoded) {
  const std::string path = source_path("tests/data/golden/llama");
  const ModelConfig config = *read_config(path);
  auto source = std::make_shared<QuantizedSource>(path, bits, decoded);
  const auto isa = *selected_isa();
  auto model = load_model(config, source, {.max_model_len = 64, .ex = {.isa = isa}});
  INFO(model.status().message());
  REQUIRE(model.ok());
  Served served;
  (*model)->for_each_linear([&](const Linear& l) { ++served.formats[l.weight.format.name()]; });
  const LoadedModel loaded{*std::move(model), std::make_shared<ThreadPool>(2)};
  const auto scorer = *Scorer::create(loaded, {"default", 2, isa}, {.max_len = 40, .chunk = 7});
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 40; ++i) tokens.push_back(3 + i * 37 % 200);
  REQUIRE(scorer
              ->run(tokens,
                    [&](int32_t, std::span<const float> row) {
                      served.logits.insert(served.logits.end(), row.begin(), row.end());
                    })
              .ok());
  return served;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    REQUIRE(std::isfinite(a[i]));
    largest = std::max(largest, std::abs(double(a[i]) - b[i]));
  }
  return largest;
}

}  // namespace

TEST_CASE("a new format needs one packing and one row", "[load][formats]") {
  REQUIRE(kAdded);
  const Served ours = serve(3, false), decoded = serve(3, true);
  CHECK(ours.formats.contains("int3_offset_g64"));
  CHECK(ours.formats.size() == 2);  // besides the head's
  CHECK(!decoded.formats.contains("int3_offset_g64"));
  // The same weights: sums differ in their order alone.
  CHECK(largest_difference(ours.logits, decoded.logits) < 2e-4);
}

TEST_CASE("codes that no kernel takes are decoded, and keep the order of their input",
          "[load][formats]") {
  const Served ours = serve(5, false), decoded = serve(5, true);
  CHECK(ours.formats.contains("f32"));
  CHECK(largest_difference(ours.logits, decoded.logits) < 2e-4);
  CHECK(largest_difference(ours.logits, serve(3, false).logits) > 1e-3);  // other weights
}
