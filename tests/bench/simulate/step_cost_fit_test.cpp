#include "bench/simulate/step_cost_fit.h"

#include <catch2/catch.hpp>

using namespace tern;
using namespace tern::bench;
using Catch::Contains;

namespace {

MeasuredStep step_of(const SimStepCost& cost, int64_t tokens, int64_t sequences, double off = 1) {
  return {double(tokens), double(sequences), cost.of(tokens, sequences).count() * off};
}

void check_cost(const SimStepCost& fitted, const SimStepCost& expected) {
  CHECK(fitted.base.count() == Approx(expected.base.count()).margin(1e-12));
  CHECK(fitted.per_token.count() == Approx(expected.per_token.count()).margin(1e-12));
  CHECK(fitted.per_sequence.count() == Approx(expected.per_sequence.count()).margin(1e-12));
}

}  // namespace

TEST_CASE("exact steps give their cost back", "[bench][simulate][step_cost]") {
  const SimStepCost cost{Seconds(0.02), Seconds(3e-5), Seconds(2e-4)};
  const auto fit = fit_step_cost({step_of(cost, 1, 1), step_of(cost, 16, 16), step_of(cost, 512, 4),
                                  step_of(cost, 128, 1), step_of(cost, 64, 64)});
  REQUIRE(fit.ok());
  check_cost(fit->cost, cost);
  CHECK(fit->rms_error < 1e-9);
  CHECK_FALSE(fit->lacks_prefill);
}

TEST_CASE("errors are relative and told", "[bench][simulate][step_cost]") {
  const SimStepCost cost{Seconds(0.02), Seconds(0), Seconds(0)};
  const auto fit = fit_step_cost({step_of(cost, 1, 1, 0.9), step_of(cost, 1, 1, 1.1)});
  REQUIRE(fit.ok());
  CHECK(fit->lacks_prefill);
  // The least of (c/0.018 - 1)² + (c/0.022 - 1)².
  const double c = (1 / 0.018 + 1 / 0.022) / (1 / 0.018 / 0.018 + 1 / 0.022 / 0.022);
  CHECK(fit->cost.of(1, 1).count() == Approx(c));
  CHECK(fit->max_error == Approx(1 - c / 0.022));
}

TEST_CASE("no part is negative, though the least squares would have one",
          "[bench][simulate][step_cost]") {
  // Steps grow faster than in proportion: a line through them has a negative base.
  const auto fit = fit_step_cost({{1, 1, 0.001}, {2, 2, 0.003}, {4, 4, 0.010}});
  REQUIRE(fit.ok());
  CHECK(fit->cost.base.count() == 0);
  CHECK(fit->cost.per_token.count() == 0);
  CHECK(fit->cost.per_sequence.count() > 0);
  CHECK(fit->rms_error > 0.1);
}

TEST_CASE("what bench step prints is read", "[bench][simulate][step_cost]") {
  const char* decode_only =
      R"({"rows": [{"phase": "prefill", "batch": 1, "p50_ms": 80.0},
                   {"phase": "decode", "batch": 1, "p50_ms": 10.0},
                   {"phase": "decode", "batch": 11, "p50_ms": 15.0}], "cpu": "x"})";
  const auto fit = parse_step_cost(decode_only, "f");
  REQUIRE(fit.ok());
  CHECK(fit->num_steps == 2);
  CHECK(fit->lacks_prefill);
  check_cost(fit->cost, {Seconds(0.0095), Seconds(0), Seconds(0.0005)});
  const char* with_prefill =
      R"({"rows": [{"phase": "prefill", "batch": 1, "p50_ms": 110.0, "step_tokens": 100, "step_sequences": 1},
                   {"phase": "decode", "batch": 1, "p50_ms": 11.0, "step_tokens": 1, "step_sequences": 1},
                   {"phase": "decode", "batch": 11, "p50_ms": 26.0, "step_tokens": 11, "step_sequences": 11}]})";
  const auto whole = parse_step_cost(with_prefill, "f");
  REQUIRE(whole.ok());
  CHECK_FALSE(whole->lacks_prefill);
  check_cost(whole->cost, {Seconds(0.0095), Seconds(0.001), Seconds(0.0005)});
}

TEST_CASE("other files are refused by name", "[bench][simulate][step_cost]") {
  for (const char* text : {"", "[]", "{}", R"({"rows": 3})", R"({"rows": []})",
                           R"({"rows": [{"phase": "decode", "batch": 0, "p50_ms": 1}]})"})
    CHECK_THAT(parse_step_cost(text, "f").status().message(), Contains("f: "));
}
