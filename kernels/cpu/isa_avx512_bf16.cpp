#if defined(__x86_64__)

// clang-format off
#include "kernels/cpu/int_avx512.h"
//
#include "kernels/cpu/gemm.inl"
#include "kernels/cpu/gemm_bf16_dot.inl"
#include "kernels/cpu/probe.inl"
// clang-format on

namespace tern {

constinit const CpuKernels kAvx512Bf16Kernels = {
    .isa = Isa::kAvx512Bf16,
    .name = "avx512_bf16",
    .gemm = {{&kBf16DotPacking, gemm<Bf16DotTile>}},
    .multiply = {nullptr, nullptr, nullptr, probe_multiply<Bf16Dot>}};

}  // namespace tern

#endif
