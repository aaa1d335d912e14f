// What one instruction set's build of the CPU kernels offers.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/ops/activation.h"
#include "kernels/ops/add.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/embed.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/rmsnorm.h"
#include "kernels/ops/rope.h"

namespace tern {

/// The entry points of one isa_*.cpp. Only these leave such a file: what enters a table, or is a
/// template of the standard library, stands in register.cpp, which every CPU can run.
struct CpuKernels {
  template <class Op>
  using Run = void (*)(const typename Op::Args&, const Exec&);

  Isa isa;
  std::string_view name;  ///< "avx2"
  std::string_view gemm_f32_name;
  std::string_view gemm_bf16_name;
  Run<Gemm> gemm_f32;
  Run<Gemm> gemm_bf16;
  Run<RmsNorm> rmsnorm;
  Run<Rope> rope;
  Run<SiluMul> silu_mul;
  Run<Add> add;
  Run<Embed> embed;
  Run<KvWrite> kv_write;
  Run<Attention> attention;

  /// out[i] = e^x[i]: the function that silu_mul and attention use, for its own accuracy test.
  void (*exp)(const float* x, float* out, int64_t count);
};

extern const CpuKernels kScalarKernels;
#if defined(__x86_64__)
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
#endif

/// The best of the above that `isa` covers and this build has.
const CpuKernels& cpu_kernels(Isa isa);

}  // namespace tern
