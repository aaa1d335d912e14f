#include <catch2/catch.hpp>

#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

constexpr int64_t kVocabulary = 19;

/// A table whose last row ends at an inaccessible page.
template <class T>
GuardBuffer<T> random_table(int64_t hidden, Values values, T (*convert)(float)) {
  GuardBuffer<T> table(kVocabulary * hidden);
  for (int64_t i = 0; i < table.size(); ++i) table[i] = convert(random_value(values, 1, i));
  table.make_read_only();
  return table;
}

template <class T>
void check(DType dtype, int64_t rows, int64_t hidden, Values values, T (*convert)(float),
           float scale = 1) {
  const GuardBuffer<T> table = random_table<T>(hidden, values, convert);
  GuardBuffer<int32_t> ids(rows);
  for (int64_t t = 0; t < rows; ++t) ids[t] = int32_t((kVocabulary - 1 + t * 7) % kVocabulary);
  GuardMatrix expected(rows, hidden), y(rows, hidden, 5);
  const auto rows_of_table = make_dense_rows({table.data(), dtype, 2, {kVocabulary, hidden, 1, 1}});
  Embed::Args a{
      .token_ids = ids.data(), .table = rows_of_table.get(), .scale = scale, .y = expected.view()};
  embed_ref(a, {});
  a.y = y.view();
  for (const Kernel<Embed>& k : kernels().embed.all())
    for (ThreadPool* pool :
         {static_cast<ThreadPool*>(nullptr), pools()[0].get(), pools()[1].get()}) {
      CAPTURE(k.name, dtype_name(dtype), rows, hidden, int(values), num_threads(pool));
      y.poison();
      k.run(a, on_pool(pool));
      REQUIRE(first_difference(y.read(), expected.read()) == "");
      REQUIRE(y.intact());
    }
}

}  // namespace

TEST_CASE("every embed kernel equals the reference", "[embed]") {
  const Values values = GENERATE(Values::kOutliers, Values::kTiny, Values::kLarge);
  for (const int64_t rows : {0, 1, 5, 70})
    for (const int64_t hidden : {1, 15, 16, 17, 33, 577}) {
      check<float>(DType::kF32, rows, hidden, values, [](float v) { return v; });
      check<Bf16>(DType::kBf16, rows, hidden, values, [](float v) { return to_bf16(v); });
      check<F16>(DType::kF16, rows, hidden, values, [](float v) { return to_f16(v); });
    }
}

TEST_CASE("embed reads subnormal f16 exactly", "[embed]") {
  check<F16>(DType::kF16, 5, 37, Values::kPlain, [](float v) { return to_f16(v * 6e-5f); });
}

TEST_CASE("embed scales with one rounding", "[embed]") {
  check<Bf16>(
      DType::kBf16, 5, 37, Values::kPlain, [](float v) { return to_bf16(v); }, 3.3f);
  check<float>(
      DType::kF32, 5, 37, Values::kOutliers, [](float v) { return v; }, 0.7f);
}
