#if defined(__x86_64__)

// clang-format off
#include "kernels/cpu/int_avx512.h"
//
#include "kernels/cpu/gemm.inl"
#include "kernels/cpu/dots.inl"
#include "kernels/cpu/gemm_bfp16.inl"
#include "kernels/cpu/gemm_int.inl"
#include "kernels/cpu/probe.inl"
// clang-format on

namespace tern {

constinit const CpuKernels kAvx512VnniKernels = {
    .isa = Isa::kAvx512Vnni,
    .name = "avx512_vnni",
    .gemm = {{&kBfp16Packing, gemm<Bfp16Tile>},
             {&kInt8Packing, gemm<IntTile<Int16Dots<8>, false>>},
             {&kInt4Packing, gemm<IntTile<Int16Dots<4>, false>>},
             {&kInt4OffsetPacking, gemm<IntTile<Int16Dots<4>, true>>},
             {&kInt8A8Packing, gemm<IntTile<ByteDots<8>, false>>},
             {&kInt4A8Packing, gemm<IntTile<ByteDots<4>, false>>},
             {&kInt4OffsetA8Packing, gemm<IntTile<ByteDots<4>, true>>}},
    .multiply = {nullptr, probe_multiply<Int16Dot>, probe_multiply<Int8Dot>}};

}  // namespace tern

#endif
