// Every body, and their table, for the instruction set whose vec_*.h and int_*.h stand before this.
// clang-format off
#include "kernels/cpu/exp.inl"
#include "kernels/cpu/gemm.inl"
#include "kernels/cpu/gemm_float.inl"
#include "kernels/cpu/dots.inl"
#include "kernels/cpu/gemm_bfp16.inl"
#include "kernels/cpu/gemm_int.inl"
#include "kernels/cpu/quantize_input.inl"
#include "kernels/cpu/rmsnorm.inl"
#include "kernels/cpu/rope.inl"
#include "kernels/cpu/elementwise.inl"
#include "kernels/cpu/kv_write.inl"
#include "kernels/cpu/attention.inl"
#include "kernels/cpu/probe.inl"
// clang-format on

namespace tern {
namespace {

constexpr CpuKernels make_kernels(Isa isa, std::string_view name) {
  return {.isa = isa,
          .name = name,
          .gemm = {{&kF32Packing, gemm<FloatTile<float>>},
                   {&kF16Packing, gemm<FloatTile<F16>>},
                   {&kBf16Packing, gemm<FloatTile<Bf16>>},
                   {&kBfp16Packing, gemm<Bfp16Tile>},
                   {&kInt8Packing, gemm<IntTile<Int16Dots<8>, false>>},
                   {&kInt4Packing, gemm<IntTile<Int16Dots<4>, false>>},
                   {&kInt4OffsetPacking, gemm<IntTile<Int16Dots<4>, true>>},
                   {&kInt8A8Packing, gemm<IntTile<ByteDots<8>, false>>},
                   {&kInt4A8Packing, gemm<IntTile<ByteDots<4>, false>>},
                   {&kInt4OffsetA8Packing, gemm<IntTile<ByteDots<4>, true>>}},
          .quantize_input = {{&kBf16Input, quantize_to_bf16},
                             {&kBfp16Input, quantize_to_bfp16},
                             {&kInt16Input, quantize_to_int16},
                             {&kInt8Input, quantize_to_int8}},
          .rmsnorm = rmsnorm,
          .rope = rope,
          .gated_activation = gated_activation,
          .softcap = softcap,
          .add = add,
          .kv_write = kv_write,
          .attention = attention,
          .attention_scratch_bytes = attention_scratch_bytes,
          .exp = exp_array,
          .multiply = {probe_multiply<F32Fma>, probe_multiply<Int16Dot>,
                       kHasByteDot ? probe_multiply<Int8Dot> : probe_multiply<Int16Dot>},
          .read = probe_read<tile_vecs(1)>};
}

}  // namespace
}  // namespace tern
