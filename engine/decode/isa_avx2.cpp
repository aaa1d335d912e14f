#if defined(__x86_64__)

#include "engine/decode/row_passes.inl"

namespace tern {

extern const RowPasses kAvx2RowPasses;
constinit const RowPasses kAvx2RowPasses{find_largest, weigh, split, count_equal};

}  // namespace tern

#endif
