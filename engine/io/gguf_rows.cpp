#include "engine/io/gguf_rows.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/math.h"
#include "base/unaligned.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

constexpr int kBlock = 32;  // weights that share a scale

float load_f16(const std::byte* at) {
  return to_float(load_unaligned<F16>(at, 0));
}

// One block of each type: its bits a code, its bytes, and its 32 codes with their a and b.

struct Q8_0 {
  static constexpr int kBits = 8, kBytes = 34;
  static constexpr bool kSymmetric = true;

  static void decode(const std::byte* block, uint8_t* codes, float& a, float& b) {
    a = load_f16(block);
    b = -128 * a;  // exact, as is d·q = fma(d, q + 128, -128 d)
    for (int i = 0; i < kBlock; ++i) codes[i] = uint8_t(block[2 + i]) ^ 0x80;
  }
};

void decode_nibbles(const std::byte* packed, uint8_t* codes) {
  for (int i = 0; i < kBlock / 2; ++i) {
    codes[i] = uint8_t(packed[i]) & 15;
    codes[i + kBlock / 2] = uint8_t(packed[i]) >> 4;
  }
}

struct Q4_0 {
  static constexpr int kBits = 4, kBytes = 18;
  static constexpr bool kSymmetric = true;

  static void decode(const std::byte* block, uint8_t* codes, float& a, float& b) {
    a = load_f16(block);
    b = -8 * a;
    decode_nibbles(block + 2, codes);
  }
};

struct Q4_1 {
  static constexpr int kBits = 4, kBytes = 20;
  static constexpr bool kSymmetric = false;

  static void decode(const std::byte* block, uint8_t* codes, float& a, float& b) {
    a = load_f16(block);
    b = load_f16(block + 2);
    decode_nibbles(block + 4, codes);
  }
};

template <class Block>
class BlockRows final : public RowSource {
 public:
  explicit BlockRows(const GgufTensor& t)
      : RowSource(t.rank == 1 ? 1 : int64_t(t.bytes / row_bytes(t)), t.shape[t.rank - 1],
                  Encoding::affine(Block::kBits, kBlock, !Block::kSymmetric), t.bytes),
        data_(t.data),
        row_bytes_(row_bytes(t)) {}

  void read(int64_t row, float* out) const override {
    uint8_t codes[kBlock];
    float a = 0, b = 0;
    for (int64_t g = 0; g < groups(); ++g) {
      Block::decode(block(row, g), codes, a, b);
      // a has 11 bits and a code 8 at most: the product is exact, so this is fma(a, c, b).
      for (int i = 0; i < kBlock; ++i) out[g * kBlock + i] = a * float(codes[i]) + b;
    }
  }

  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    for (int64_t g = 0; g < groups(); ++g)
      Block::decode(block(row, g), codes + g * kBlock, a[g], b[g]);
  }

  void release(int64_t first_row, int64_t num_rows) const override {
    release_file(block(first_row, 0), uint64_t(num_rows) * row_bytes_);
  }

 private:
  static uint64_t row_bytes(const GgufTensor& t) {
    return uint64_t(t.shape[t.rank - 1]) / kBlock * Block::kBytes;
  }
  const std::byte* block(int64_t row, int64_t group) const {
    return data_ + uint64_t(row) * row_bytes_ + uint64_t(group) * Block::kBytes;
  }

  const std::byte* const data_;
  const uint64_t row_bytes_;
};

/// Rows that another source changes on their way.
class Wrapped : public RowSource {
 public:
  explicit Wrapped(std::unique_ptr<RowSource>&& source)
      : Wrapped(std::move(source), source->encoding()) {}
  Wrapped(std::unique_ptr<RowSource>&& source, const Encoding& encoding)
      : RowSource(source->rows(), source->cols(), encoding, source->bytes()),
        source_(std::move(source)) {}

 protected:
  const std::unique_ptr<RowSource> source_;
};

class HalvedHeadRows final : public Wrapped {
 public:
  HalvedHeadRows(std::unique_ptr<RowSource> source, int64_t num_heads)
      : Wrapped(std::move(source)), half_(rows() / num_heads / 2) {}

  void read(int64_t row, float* out) const override { source_->read(source_row(row), out); }
  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    source_->read_codes(source_row(row), codes, a, b);
  }
  const std::byte* stored(int64_t row) const override { return source_->stored(source_row(row)); }
  void release(int64_t first_row, int64_t num_rows) const override {
    // Rows come from all over their head.
    const int64_t begin = first_row / (2 * half_) * 2 * half_;
    const int64_t end = std::min(round_up(first_row + num_rows, 2 * half_), rows());
    source_->release(begin, end - begin);
  }

 private:
  int64_t source_row(int64_t row) const {
    const int64_t in_head = row % (2 * half_);
    return row - in_head + 2 * (in_head % half_) + in_head / half_;
  }

  const int64_t half_;  // rows of half a head
};

class HalvedHeadVector final : public Wrapped {
 public:
  HalvedHeadVector(std::unique_ptr<RowSource> source, int64_t num_heads)
      : Wrapped(std::move(source)), half_(cols() / num_heads / 2) {}

  void read(int64_t row, float* out) const override {
    std::vector<float> values(cols());
    source_->read(row, values.data());
    for (int64_t first = 0; first < cols(); first += 2 * half_)
      for (int64_t i = 0; i < 2 * half_; ++i)
        out[first + i] = values[first + 2 * (i % half_) + i / half_];
  }
  void read_codes(int64_t, uint8_t*, float*, float*) const override {
    TERN_CHECK(false, "a bias has no codes");
  }

 private:
  const int64_t half_;  // columns of half a head
};

class LessOne final : public Wrapped {
 public:
  explicit LessOne(std::unique_ptr<RowSource> source)
      : Wrapped(std::move(source), {.dtype = DType::kF32}) {}

  void read(int64_t row, float* out) const override {
    source_->read(row, out);
    for (int64_t i = 0; i < cols(); ++i) out[i] -= 1;
  }
  void read_codes(int64_t, uint8_t*, float*, float*) const override {
    TERN_CHECK(false, "floats have no codes");
  }
};

std::unique_ptr<RowSource> dense(const GgufTensor& t, DType dtype) {
  TensorView view{.data = t.data, .dtype = dtype, .rank = t.rank};
  std::copy(t.shape, t.shape + t.rank, view.shape);
  return make_dense_rows(view, TensorMemory::kMappedFile);
}

}  // namespace

Result<std::unique_ptr<RowSource>> make_gguf_rows(const GgufTensor& tensor) {
  const std::string_view type = tensor.type->name;
  if (type == "f32") return dense(tensor, DType::kF32);
  if (type == "f16") return dense(tensor, DType::kF16);
  if (type == "bf16") return dense(tensor, DType::kBf16);
  std::unique_ptr<RowSource> rows;
  if (type == "q8_0") rows = std::make_unique<BlockRows<Q8_0>>(tensor);
  if (type == "q4_0") rows = std::make_unique<BlockRows<Q4_0>>(tensor);
  if (type == "q4_1") rows = std::make_unique<BlockRows<Q4_1>>(tensor);
  if (rows) return rows;
  return Status(Code::kUnimplemented, "tensor " + in_quotes(tensor.name) + " is " +
                                          std::string(type) +
                                          "; tern reads f32, f16, bf16, q8_0, q4_0 and q4_1");
}

std::unique_ptr<RowSource> make_halved_heads(std::unique_ptr<RowSource> source, int64_t num_heads) {
  const bool is_vector = source->rows() == 1;
  TERN_CHECK((is_vector ? source->cols() : source->rows()) % (2 * num_heads) == 0,
             "heads have two halves");
  if (is_vector) return std::make_unique<HalvedHeadVector>(std::move(source), num_heads);
  return std::make_unique<HalvedHeadRows>(std::move(source), num_heads);
}

std::unique_ptr<RowSource> make_less_one(std::unique_ptr<RowSource> source) {
  return std::make_unique<LessOne>(std::move(source));
}

}  // namespace tern
