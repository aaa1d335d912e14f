// The kernels of tile registers on an emulation of these: few machines have them. Where one has,
// gemm_test.cpp runs them as they are.
#include <catch2/catch.hpp>

#include "kernels/cpu/int_scalar.h"
#include "tests/support/emulated_tiles.h"
// clang-format off
#include "kernels/cpu/dots.inl"
#include "kernels/cpu/gemm.inl"
#include "kernels/cpu/gemm_int.inl"
#include "kernels/cpu/gemm_tiles.inl"
// clang-format on
#include "tests/kernels/gemm_case.h"

using namespace tern;

namespace {

struct TileKernels {
  CpuKernels::Run<Gemm> tiles, vectors;
};

template <int kBits, bool kOffset, class Value>
constexpr TileKernels kernels_of() {
  using Dots = Select<sizeof(Value) == 2, PairDots<kBits>, ByteDots<kBits>>;
  return {gemm_in_tiles<kBits, kOffset, Value>, gemm<IntTile<Dots, kOffset>>};
}

TileKernels kernels_for(const Format& f) {
  const bool wide = f.packing->input == &kInt16Input;
  if (f.encoding.bits == 8)
    return wide ? kernels_of<8, false, int16_t>() : kernels_of<8, false, int8_t>();
  if (f.encoding.offset)
    return wide ? kernels_of<4, true, int16_t>() : kernels_of<4, true, int8_t>();
  return wide ? kernels_of<4, false, int16_t>() : kernels_of<4, false, int8_t>();
}

void check(const Format& f, Shape s) {
  const Weight w(f, s.out, s.in, Values::kPlain, 1);
  GuardMatrix x(s.rows, s.in), bias(1, s.out), y(s.rows, s.out, 5), expected(s.rows, s.out);
  x.fill(Values::kOutliers, 2);
  bias.fill(Values::kPlain, 3);
  const Input input(f, x.read());
  const TileKernels k = kernels_for(f);
  Gemm::Args a{.x = input.view, .w = w.view, .bias = bias.view().data, .y = expected.view()};
  k.vectors(a, {});
  for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), pools()[0].get()}) {
    CAPTURE(f.name(), s.rows, s.out, s.in, num_threads(pool));
    a.y = y.view();
    y.poison();
    k.tiles(a, on_pool(pool));
    REQUIRE(first_difference(y.read(), expected.read()) == "");
    REQUIRE(y.intact());
    CHECK(!EmulatedTiles::get().configured);
  }
}

}  // namespace

TEST_CASE("tile registers give the bits that vectors give", "[gemm][tiles][EC-19]") {
  const Format f = GENERATE(from_range(example_formats()));
  if (!f.encoding.is_codes()) return;
  for (const int64_t rows : {0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 70})
    for (const auto& [out, in] : std::initializer_list<std::pair<int, int>>{
             {1, 32}, {16, 64}, {33, 96}, {40, 160}, {100, 576}, {31, 577}, {17, 1056}})
      check(f, {rows, out, in});
}
