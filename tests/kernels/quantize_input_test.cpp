#include <catch2/catch.hpp>
#include <limits>

#include "kernels/formats/code_panels.h"
#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

/// A layout, and the group of the weights that are multiplied with it.
struct Quantized {
  const InputLayout* layout;
  int32_t group = 0;

  QuantizeInput::Args args(const GuardMatrix& x, std::byte* out) const {
    return {.x = x.read(), .layout = layout, .group = group, .out = out};
  }
  IntInput int_input(int64_t cols) const {
    return IntInput::of(layout == &kInt16Input ? 2 : 1, group, cols);
  }
};

void check(const Quantized& q, const GuardMatrix& x) {
  const int64_t rows = x.view().rows, stride = q.layout->row_bytes(x.view().cols, q.group);
  GuardBuffer<std::byte> expected(rows * stride, 64), out(rows * stride, 64);
  quantize_input_ref(q.args(x, expected.data()), {});
  for (const TestedKernel<QuantizeInput>& k : tested_kernels(kernels().quantize_input)) {
    if (!k.supports(q.args(x, out.data()))) continue;
    for (ThreadPool* pool :
         {static_cast<ThreadPool*>(nullptr), pools()[0].get(), pools()[1].get()}) {
      CAPTURE(k.name, q.layout->name, q.group, rows, x.view().cols, num_threads(pool));
      out.poison();
      k.run(q.args(x, out.data()), on_pool(pool));
      REQUIRE(std::equal(out.data(), out.data() + out.size(), expected.data()));
      REQUIRE(out.intact());
    }
  }
}

Quantized any_quantized() {
  return GENERATE(Quantized{&kBf16Input}, Quantized{&kBfp16Input}, Quantized{&kInt16Input, 32},
                  Quantized{&kInt8Input, 32}, Quantized{&kInt16Input, 128},
                  Quantized{&kInt8Input, 128});
}

}  // namespace

TEST_CASE("every quantize_input kernel gives the reference's bytes", "[quantize_input][EC-17]") {
  const Quantized q = any_quantized();
  const Values values = GENERATE(from_range(kAllValues));
  for (const int64_t rows : {0, 1, 5, 40})
    for (const int64_t cols : {1, 31, 32, 33, 64, 127, 129, 576, 1000}) {
      GuardMatrix x(rows, cols, 3);
      x.fill(values, 1).make_read_only();
      check(q, x);
    }
}

TEST_CASE("integer activations are within half a step", "[quantize_input][EC-16]") {
  GuardMatrix x(1, 300);
  x.fill(Values::kOutliers, 3);
  const Quantized q = GENERATE(Quantized{&kInt16Input, 32}, Quantized{&kInt8Input, 32});
  const IntInput layout = q.int_input(300);
  std::vector<std::byte> row(layout.row_bytes());
  quantize_input_ref(q.args(x, row.data()), {});
  for (int64_t k = 0; k < 300; ++k) {
    const float scale = layout.scales(row.data())[k / 32];
    const int value = layout.value(row.data(), k);
    REQUIRE(std::abs(value) <= (layout.value_bytes == 2 ? 127 * 256 : 127));
    REQUIRE(std::abs(double(scale) * value - x.view().row(0)[k]) <= 0.51 * scale);
  }
}

TEST_CASE("a group that is not finite poisons its own results", "[quantize_input]") {
  const float bad =
      GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
               -std::numeric_limits<float>::infinity());
  for (const Quantized q : {Quantized{&kInt16Input, 32}, Quantized{&kInt8Input, 128}}) {
    GuardMatrix x(1, 200);
    x.fill(Values::kPlain, 1);
    x.view().row(0)[40] = bad;
    check(q, x);
    const IntInput layout = q.int_input(200);
    std::vector<std::byte> row(layout.row_bytes());
    quantize_input_ref(q.args(x, row.data()), {});
    REQUIRE(std::isnan(layout.scales(row.data())[40 / q.group]));
    REQUIRE(std::isfinite(layout.scales(row.data())[199 / q.group]));
  }
}
