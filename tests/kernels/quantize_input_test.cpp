#include <catch2/catch.hpp>
#include <limits>

#include "kernels/formats/code_panels.h"
#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

void check(FormatId id, const GuardMatrix& x) {
  const int64_t rows = x.view().rows, stride = input_row_bytes(format(id), x.view().cols);
  GuardBuffer<std::byte> expected(rows * stride, 64), out(rows * stride, 64);
  quantize_input_ref({.x = x.read(), .format = id, .out = expected.data()}, {});
  for (const Kernel<QuantizeInput>& k : kernels().quantize_input.all())
    for (ThreadPool* pool :
         {static_cast<ThreadPool*>(nullptr), pools()[0].get(), pools()[1].get()}) {
      CAPTURE(k.name, format(id).name, rows, x.view().cols, num_threads(pool));
      out.poison();
      k.run({.x = x.read(), .format = id, .out = out.data()}, on_pool(pool));
      REQUIRE(std::equal(out.data(), out.data() + out.size(), expected.data()));
      REQUIRE(out.intact());
    }
}

FormatId any_quantized_format() {
  return GENERATE(FormatId::kBf16Dot, FormatId::kBfp16, FormatId::kInt8G32, FormatId::kInt8G32A8,
                  FormatId::kInt4G128, FormatId::kInt4G128A8);
}

}  // namespace

TEST_CASE("every quantize_input kernel gives the reference's bytes", "[quantize_input][EC-17]") {
  const FormatId id = any_quantized_format();
  const Values values = GENERATE(from_range(kAllValues));
  for (const int64_t rows : {0, 1, 5, 40})
    for (const int64_t cols : {1, 31, 32, 33, 64, 127, 129, 576, 1000}) {
      GuardMatrix x(rows, cols, 3);
      x.fill(values, 1).make_read_only();
      check(id, x);
    }
}

TEST_CASE("integer activations are within half a step", "[quantize_input][EC-16]") {
  GuardMatrix x(1, 300);
  x.fill(Values::kOutliers, 3);
  const FormatId id = GENERATE(FormatId::kInt8G32, FormatId::kInt8G32A8);
  const IntInput layout = IntInput::of(format(id), 300);
  std::vector<std::byte> row(layout.row_bytes());
  quantize_input_ref({.x = x.read(), .format = id, .out = row.data()}, {});
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
  for (const FormatId id : {FormatId::kInt8G32, FormatId::kInt4G128A8}) {
    GuardMatrix x(1, 200);
    x.fill(Values::kPlain, 1);
    x.view().row(0)[40] = bad;
    check(id, x);
    const IntInput layout = IntInput::of(format(id), 200);
    std::vector<std::byte> row(layout.row_bytes());
    quantize_input_ref({.x = x.read(), .format = id, .out = row.data()}, {});
    REQUIRE(std::isnan(layout.scales(row.data())[40 / format(id).group]));
    REQUIRE(std::isfinite(layout.scales(row.data())[199 / format(id).group]));
  }
}
