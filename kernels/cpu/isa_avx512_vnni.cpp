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
    .gemm = {nullptr, nullptr, nullptr, nullptr, gemm<Bfp16Tile>, gemm<IntTile<Int16Dots<8>, false>>,
             gemm<IntTile<Int16Dots<4>, false>>, gemm<IntTile<Int16Dots<4>, true>>,
             gemm<IntTile<ByteDots<8>, false>>, gemm<IntTile<ByteDots<4>, false>>,
             gemm<IntTile<ByteDots<4>, true>>},
    .multiply = {nullptr, probe_multiply<Int16Dot>, probe_multiply<Int8Dot>}};

}  // namespace tern

#endif
