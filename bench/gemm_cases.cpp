// Linear layers, in every format that a kernel multiplies, and what their activations become.
#include <algorithm>
#include <cstring>

#include "base/math.h"
#include "base/rng.h"
#include "bench/kernel_cases.h"
#include "bench/memory.h"
#include "kernels/formats/code_panels.h"

namespace tern {

/// Copies of one packed weight, one after the other.
struct PackedWeights {
  std::vector<WeightView> copies;
  size_t bytes = 0;  ///< of one
  Buffer buffer;
};

namespace {

// Random rows, floats or codes, of which there are but few: packing has to read something.
class FewRandomRows final : public RowSource {
 public:
  FewRandomRows(const Format& f, int64_t rows, int64_t cols)
      : RowSource(rows, cols, f.encoding, 0), values_(kRows * cols) {
    for (size_t i = 0; i < values_.size(); ++i)
      values_[i] = static_cast<float>(random_uniform(1, RngStream::kTest, i) * 2 - 1);
  }

  void read(int64_t row, float* out) const override {
    std::copy_n(&values_[row % kRows * cols()], cols(), out);
  }
  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    const float* values = &values_[row % kRows * cols()];
    const float most = float((1 << encoding().bits) - 1);
    for (int64_t k = 0; k < cols(); ++k)
      codes[k] = static_cast<uint8_t>((values[k] + 1) / 2 * most);
    std::fill_n(a, groups(), 0.0625f);
    std::fill_n(b, groups(), -0.5f);
  }

 private:
  static constexpr int64_t kRows = 32;
  std::vector<float> values_;
};

Result<std::shared_ptr<const PackedWeights>> pack(const Format& f, int64_t rows, int64_t cols,
                                                  const CaseContext& context) {
  auto packed = std::make_shared<PackedWeights>();
  packed->bytes = f.packed_bytes(rows, cols);
  const size_t stride = round_up(packed->bytes, size_t(4096));
  const int64_t copies = std::max<int64_t>(1, int64_t(ceil_div(context.cold_bytes, stride)));
  TERN_ASSIGN(packed->buffer, allocate_checked(stride * copies));
  std::byte* data = packed->buffer.data();
  const FewRandomRows source(f, rows, cols);
  constexpr int64_t kTaskRows = 8 * kPanelRows;
  context.pool.parallel_for(ceil_div(rows, kTaskRows), [&](int64_t task, int) {
    const int64_t first = task * kTaskRows;
    f.packing->pack_rows(f.encoding, source, first, std::min(kTaskRows, rows - first), data);
  });
  context.pool.parallel_for(copies - 1, [&](int64_t i, int) {
    std::memcpy(data + (i + 1) * stride, data, packed->bytes);
  });
  for (int64_t i = 0; i < copies; ++i) packed->copies.push_back({data + i * stride, f, rows, cols});
  return std::shared_ptr<const PackedWeights>(std::move(packed));
}

Status prepare_weights(const Format& f, int64_t rows, int64_t cols, CaseContext& context) {
  if (context.weights) {
    const WeightView& last = context.weights->copies.front();
    if (last.format == f && last.rows == rows && last.cols == cols) return {};
  }
  context.weights.reset();  // its memory goes before the next is taken
  TERN_ASSIGN(context.weights, pack(f, rows, cols, context));
  return {};
}

/// What a product of `f` takes of its arithmetic.
void set_arithmetic(const Format& f, Work& work) {
  const InputLayout* input = f.packing->input;
  if (input == &kF32Input) work.arithmetic = Arithmetic::kF32Fma;
  if (input == &kBf16Input) work.arithmetic = Arithmetic::kBf16Dot;
  if (input == &kBfp16Input) work.arithmetic = Arithmetic::kInt16Dot;
  if (input == &kInt8Input) work.arithmetic = Arithmetic::kInt8Dot;
  if (input != &kInt16Input) return;
  const bool is_neon = cpu_info().best_isa == Isa::kNeon;  // meets codes as two bytes there
  work.arithmetic = is_neon ? Arithmetic::kInt8Dot : Arithmetic::kInt16Dot;
  work.products = is_neon ? 2 : 1;
}

struct GemmMemory {
  CaseMemory arrays;
  std::shared_ptr<const PackedWeights> weights;
};

Result<Case<Gemm>> make_gemm(const Format* f, const Shape& shape, CaseContext& context) {
  const int64_t tokens = shape[0], out = shape[1], in = shape[2];
  TERN_TRY(prepare_weights(*f, out, in, context));
  auto memory = std::make_shared<GemmMemory>();
  memory->weights = context.weights;
  CaseMemory& arrays = memory->arrays;
  const MatView<float> x = arrays.random(tokens, in), y = arrays.random(tokens, out);
  InputView input = f32_input(read_only(x));
  if (!f->packing->input->is_plain()) {
    const int64_t stride = f->input_row_bytes(in);
    std::byte* quantized = arrays.take<std::byte>(tokens * stride);
    TERN_TRY(arrays.status());
    dispatch(kernels().quantize_input,
             {.x = read_only(x),
              .layout = f->packing->input,
              .group = f->encoding.group,
              .out = quantized},
             {.isa = cpu_info().best_isa});
    input = {quantized, tokens, in, stride};
  }
  TERN_TRY(arrays.status());
  Case<Gemm> c;
  const double moved = double(tokens * input.stride) + double(tokens * out * 4);
  c.work = {.bytes = double(memory->weights->bytes) + moved,
            .flops = 2.0 * double(tokens) * double(out) * double(in),
            .footprint = memory->weights->bytes * memory->weights->copies.size() + size_t(moved)};
  set_arithmetic(*f, c.work);
  for (const WeightView& w : memory->weights->copies)
    c.args.push_back({.x = input, .w = w, .y = y});
  c.memory = std::move(memory);
  return c;
}

Result<Case<QuantizeInput>> make_quantize_input(const Format* f, const Shape& shape, CaseContext&) {
  const int64_t tokens = shape[0], in = shape[1], out_bytes = tokens * f->input_row_bytes(in);
  auto memory = std::make_shared<CaseMemory>();
  Case<QuantizeInput> c;
  c.args = {{.x = read_only(memory->random(tokens, in)),
             .layout = f->packing->input,
             .group = f->encoding.group,
             .out = memory->take<std::byte>(out_bytes)}};
  TERN_TRY(memory->status());
  // The largest magnitude, the product and its rounding; bf16 is rounded alone.
  const double each = f->packing->input == &kBf16Input ? 1 : 3;
  c.work.bytes = double(tokens * in * 4 + out_bytes);
  c.work.flops = each * double(tokens * in);
  c.work.footprint = size_t(c.work.bytes);
  c.memory = std::move(memory);
  return c;
}

/// Cases keep their addresses.
const std::vector<Format>& bench_formats() {
  static const std::vector<Format> formats = example_formats();
  return formats;
}

}  // namespace

Cases<Gemm> cases_of(const KernelTable<Gemm>& table) {
  Cases<Gemm> cases{.shape = "MxNxK", .make = make_gemm, .formats = {}};
  for (const int64_t out : {2048, 8192})
    for (const int64_t tokens : {1, 4, 16, 128})
      cases.default_shapes.push_back({tokens, out, 2048});
  for (const Format& f : bench_formats()) {
    const Gemm::Args a{.w = {.format = f}};
    if (std::any_of(table.all().begin(), table.all().end(),
                    [&](const auto& k) { return k.name != kReferenceName && k.supports(a); }))
      cases.formats.push_back(&f);
  }
  return cases;
}

Cases<QuantizeInput> cases_of(const KernelTable<QuantizeInput>&) {
  Cases<QuantizeInput> cases{.shape = "MxK",
                             .default_shapes = {{1, 2048}, {16, 2048}, {128, 2048}},
                             .make = make_quantize_input,
                             .formats = {}};
  for (const Format& f : bench_formats())
    if (!f.packing->input->is_plain()) cases.formats.push_back(&f);
  return cases;
}

}  // namespace tern
