#include <catch2/catch.hpp>

#include "tests/kernels/gemm_case.h"

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
  Embed::Args a{.token_ids = ids.data(),
                .table = source_rows(*rows_of_table),
                .scale = scale,
                .y = expected.view()};
  embed_ref(a, {});
  a.y = y.view();
  for (const TestedKernel<Embed>& k : tested_kernels(kernels().embed))
    for (ThreadPool* pool :
         {static_cast<ThreadPool*>(nullptr), pools()[0].get(), pools()[1].get()}) {
      CAPTURE(k.name, dtype_name(dtype), rows, hidden, int(values), num_threads(pool));
      y.poison();
      k.run(a, on_pool(pool));
      REQUIRE(first_difference(y.read(), expected.read()) == "");
      REQUIRE(y.intact());
    }
}

/// The packed table gives what its packing unpacks.
void check_packed(const Format& format, int64_t rows, int64_t hidden) {
  const Weight table(format, kVocabulary, hidden, Values::kPlain, 1);
  GuardBuffer<int32_t> ids(rows);
  for (int64_t t = 0; t < rows; ++t) ids[t] = int32_t((kVocabulary - 1 + t * 7) % kVocabulary);
  GuardMatrix y(rows, hidden, 5);
  std::vector<float> expected(hidden);
  for (const TestedKernel<Embed>& k : tested_kernels(kernels().embed)) {
    CAPTURE(k.name, format.name(), rows, hidden);
    y.poison();
    k.run({.token_ids = ids.data(), .table = table.view, .y = y.view()}, {});
    for (int64_t t = 0; t < rows; ++t) {
      format.packing->unpack_row(table.view, ids[t], expected.data());
      REQUIRE(std::equal(expected.begin(), expected.end(), y.read().row(t)));
    }
    REQUIRE(y.intact());
  }
}

}  // namespace

TEST_CASE("embed reads tables that are packed", "[embed]") {
  for (const Format& format : example_formats())
    for (const int64_t hidden : {1, 33, 577}) check_packed(format, 5, hidden);
}

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
