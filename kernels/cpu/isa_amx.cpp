#if defined(__x86_64__)

// clang-format off
#include "kernels/cpu/int_avx512.h"
#include "kernels/cpu/tiles_amx.h"
//
#include "kernels/cpu/dots.inl"
#include "kernels/cpu/gemm.inl"
#include "kernels/cpu/gemm_int.inl"
#include "kernels/cpu/gemm_tiles.inl"
// clang-format on

namespace tern {

constinit const CpuKernels kAmxKernels = {
    .isa = Isa::kAmx,
    .name = "amx",
    .gemm = {{&kInt8Packing, gemm_in_tiles<8, false, int16_t>},
             {&kInt4Packing, gemm_in_tiles<4, false, int16_t>},
             {&kInt4OffsetPacking, gemm_in_tiles<4, true, int16_t>},
             {&kInt8A8Packing, gemm_in_tiles<8, false, int8_t>},
             {&kInt4A8Packing, gemm_in_tiles<4, false, int8_t>},
             {&kInt4OffsetA8Packing, gemm_in_tiles<4, true, int8_t>}}};

}  // namespace tern

#endif
