// Every body, and their table, for the instruction set whose vec_*.h stands before this.
// clang-format off
#include "kernels/cpu/exp.inl"
#include "kernels/cpu/gemm.inl"
#include "kernels/cpu/rmsnorm.inl"
#include "kernels/cpu/rope.inl"
#include "kernels/cpu/elementwise.inl"
#include "kernels/cpu/kv_write.inl"
#include "kernels/cpu/attention.inl"
// clang-format on

namespace tern {
namespace {

constexpr CpuKernels make_kernels(Isa isa, std::string_view name, std::string_view gemm_f32_name,
                                  std::string_view gemm_bf16_name) {
  return {.isa = isa,
          .name = name,
          .gemm_f32_name = gemm_f32_name,
          .gemm_bf16_name = gemm_bf16_name,
          .gemm_f32 = gemm<float>,
          .gemm_bf16 = gemm<Bf16>,
          .rmsnorm = rmsnorm,
          .rope = rope,
          .silu_mul = silu_mul,
          .add = add,
          .embed = embed,
          .kv_write = kv_write,
          .attention = attention,
          .exp = exp_array};
}

}  // namespace
}  // namespace tern
