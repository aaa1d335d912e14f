#include <catch2/catch.hpp>
#include <cfloat>

#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

constexpr std::array kActivations{Activation::kSilu, Activation::kGeluTanh};

void check_parity(Activation activation, const GuardMatrix& gate, const GuardMatrix& up) {
  const int64_t rows = gate.view().rows, cols = gate.view().cols;
  GuardMatrix expected(rows, cols), y(rows, cols, 5);
  const auto args = [&](MatView<const float> g, MatView<const float> u, MatView<float> out) {
    return GatedActivation::Args{.gate = g, .up = u, .activation = activation, .y = out};
  };
  gated_activation_ref(args(gate.read(), up.read(), expected.view()), {});
  const auto limit = [&](int64_t r, int64_t c) {
    if (activation == Activation::kSilu)
      return GatedActivation::kSiluTolerance *
             (std::abs(double(expected.view().row(r)[c])) + 1e-30);
    const double product = double(gate.view().row(r)[c]) * up.view().row(r)[c];
    return GatedActivation::kGeluTanhTolerance * (std::abs(product) + 1e-30);
  };
  for (const TestedKernel<GatedActivation>& k : tested_kernels(kernels().gated_activation)) {
    CAPTURE(k.name, int(activation), rows, cols);
    y.poison();
    k.run(args(gate.read(), up.read(), y.view()), {});
    REQUIRE(first_error(y.read(), expected.read(), limit) == "");
    REQUIRE(y.intact());
    y.poison();
    copy(gate.read(), y.view());
    k.run(args(y.read(), up.read(), y.view()), {});  // y is gate
    REQUIRE(first_error(y.read(), expected.read(), limit) == "");
    y.poison();
    copy(up.read(), y.view());
    k.run(args(gate.read(), y.read(), y.view()), {});  // y is up
    REQUIRE(first_error(y.read(), expected.read(), limit) == "");
  }
}

}  // namespace

TEST_CASE("every gated activation kernel agrees with the reference", "[activation]") {
  const Activation activation = GENERATE(from_range(kActivations));
  for (const int64_t rows : {0, 1, 3})
    for (const int64_t cols : {1, 15, 16, 17, 31, 33, 96, 577})
      for (const Values values : {Values::kPlain, Values::kOutliers, Values::kTiny}) {
        GuardMatrix gate(rows, cols, 3), up(rows, cols, 1);
        gate.fill(values, 1).make_read_only();
        up.fill(Values::kOutliers, 2).make_read_only();
        check_parity(activation, gate, up);
      }
}

TEST_CASE("activations are finite and right for every magnitude of their input", "[activation]") {
  const std::vector<float> edges{0.0f,     -0.0f,   1.0f,     -1.0f,  16.6f,   -16.6f, 87.3f,
                                 -87.3f,   88.72f,  -88.72f,  88.73f, -88.73f, 103.9f, -103.9f,
                                 104.1f,   -104.1f, 1e4f,     -1e4f,  1e30f,   -1e30f, FLT_MAX,
                                 -FLT_MAX, FLT_MIN, -FLT_MIN, 1e-42f, -1e-42f, 1e-45f, -1e-45f};
  const int64_t cols = 8000;
  GuardMatrix gate(1, cols), up(1, cols);
  for (int64_t i = 0; i < cols; ++i) {
    const bool edge = i < int64_t(edges.size());
    gate.view().data[i] = edge ? edges[i] : float(i - cols / 2) * 0.0523f;
    up.view().data[i] = edge ? 1.0f : float(i % 7) - 3;
  }
  for (const Activation activation : kActivations) check_parity(activation, gate, up);
}

TEST_CASE("gelu_tanh is right near zero, at its minimum and where v³ overflows", "[activation]") {
  const std::vector<float> edges{-0.7517916f, -0.75f, 1e-3f,  -1e-3f,  1e-20f,
                                 -1e-20f,     6e12f,  -6e12f, 1.9e19f, -1.9e19f};
  const int64_t cols = 20000 + int64_t(edges.size());
  GuardMatrix gate(1, cols), up(1, cols);
  for (int64_t i = 0; i < cols; ++i) {
    gate.view().data[i] =
        i < int64_t(edges.size()) ? edges[i] : float(i - cols / 2) * 6.1e-4f;  // within ±6.1
    up.view().data[i] = 1;
  }
  check_parity(Activation::kGeluTanh, gate, up);
}

TEST_CASE("a gated activation row has the same bits in any batch, on any threads, with every fma",
          "[activation]") {
  const Activation activation = GENERATE(from_range(kActivations));
  const int64_t rows = 40, cols = 577;
  GuardMatrix gate(rows, cols), up(rows, cols), alone(rows, cols), first(rows, cols), y(rows, cols);
  gate.fill(Values::kOutliers, 1);
  up.fill(Values::kPlain, 2);
  bool have_first = false;
  for (const TestedKernel<GatedActivation>& k : tested_kernels(kernels().gated_activation)) {
    for (int64_t row = 0; row < rows; ++row)
      k.run({.gate = {gate.read().row(row), 1, cols, cols},
             .up = {up.read().row(row), 1, cols, cols},
             .activation = activation,
             .y = {alone.view().row(row), 1, cols, cols}},
            {});
    for (const auto& pool : pools()) {
      CAPTURE(k.name, pool->num_threads());
      y.poison();
      k.run({.gate = gate.read(), .up = up.read(), .activation = activation, .y = y.view()},
            on_pool(pool.get()));
      REQUIRE(first_difference(y.read(), alone.read()) == "");
    }
    if (!has_fma(k)) continue;
    CAPTURE(k.name);
    if (have_first) REQUIRE(first_difference(y.read(), first.read()) == "");
    copy(y.read(), first.view());
    have_first = true;
  }
}
