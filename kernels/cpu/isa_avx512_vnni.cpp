#if defined(__x86_64__)

// clang-format off
#include "kernels/cpu/int_avx512.h"
//
#include "kernels/cpu/gemm.inl"
#include "kernels/cpu/gemm_bfp16.inl"
#include "kernels/cpu/gemm_int.inl"
// clang-format on

namespace tern {

constinit const CpuKernels kAvx512VnniKernels = {
    .isa = Isa::kAvx512Vnni,
    .name = "avx512_vnni",
    .gemm = {nullptr, nullptr, nullptr, nullptr, gemm<Bfp16Tile>, gemm<IntTile<8, false, 2>>,
             gemm<IntTile<4, false, 2>>, gemm<IntTile<4, true, 2>>, gemm<IntTile<8, false, 1>>,
             gemm<IntTile<4, false, 1>>, gemm<IntTile<4, true, 1>>}};

}  // namespace tern

#endif
