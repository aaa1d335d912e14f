// The build that every CPU of the architecture can run, and the choice.
#include "engine/decode/row_passes.inl"

namespace tern {

#if defined(__x86_64__)
extern const RowPasses kAvx2RowPasses;
extern const RowPasses kAvx512RowPasses;
#endif

const RowPasses& row_passes(Isa isa) {
  static constexpr RowPasses kBaseline{find_largest, weigh, split, count_equal};
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512 && isa <= Isa::kAmx) return kAvx512RowPasses;
  if (isa == Isa::kAvx2) return kAvx2RowPasses;
#else
  (void)isa;
#endif
  return kBaseline;
}

}  // namespace tern
