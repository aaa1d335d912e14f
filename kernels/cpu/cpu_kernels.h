// What one instruction set's build of the CPU kernels offers.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/ops/activation.h"
#include "kernels/ops/add.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/probe.h"
#include "kernels/ops/quantize_input.h"
#include "kernels/ops/rmsnorm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/softcap.h"

namespace tern {

/// The entry points of one isa_*.cpp. Only these leave such a file: what enters a table, or is a
/// template of the standard library, stands in register.cpp, which every CPU can run. Null where
/// this instruction set has nothing better than an earlier one.
struct CpuKernels {
  template <class Op>
  using Run = void (*)(const typename Op::Args&, const Exec&);

  /// A kernel for one layout of its operand. Lists end with an empty row; later rows are preferred.
  template <class Op>
  struct Row {
    const typename Op::Layout* layout;
    Run<Op> run;
  };

  Isa isa;
  std::string_view name;  ///< "avx2"
  Row<Gemm> gemm[16];
  Row<QuantizeInput> quantize_input[8];
  Run<RmsNorm> rmsnorm;
  Run<Rope> rope;
  Run<GatedActivation> gated_activation;
  Run<Softcap> softcap;
  Run<Add> add;
  Run<KvWrite> kv_write;
  Run<Attention> attention;
  size_t (*attention_scratch_bytes)(const Attention::Args&, const Exec&);

  /// out[i] = e^x[i]: the function that activations and attention use, for its own accuracy test.
  void (*exp)(const float* x, float* out, int64_t count);

  /// As in Probe.
  int64_t (*multiply[kNumArithmetics])(int64_t steps, float* out);
  void (*read)(const float* data, int64_t count, float* out);
};

extern const CpuKernels kScalarKernels;
#if defined(__x86_64__)
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
extern const CpuKernels kAvx512VnniKernels;
extern const CpuKernels kAvx512Bf16Kernels;
extern const CpuKernels kAmxKernels;
#elif defined(__aarch64__)
extern const CpuKernels kNeonKernels;
#endif

/// The best of the above that `isa` covers, this build has, and that has all kernels.
const CpuKernels& cpu_kernels(Isa isa);

}  // namespace tern
