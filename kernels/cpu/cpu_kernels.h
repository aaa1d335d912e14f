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

/// What a gemm kernel multiplies: a family of formats that differ in the size of their groups.
enum class GemmFamily : uint8_t {
  kF32,
  kF16,
  kBf16,
  kBf16Dot,
  kBfp16,
  kInt8,
  kInt4,
  kInt4Offset,
  kInt8A8,
  kInt4A8,
  kInt4OffsetA8
};
constexpr int kNumGemmFamilies = 11;

/// The entry points of one isa_*.cpp. Only these leave such a file: what enters a table, or is a
/// template of the standard library, stands in register.cpp, which every CPU can run. Null where
/// this instruction set has nothing better than an earlier one.
struct CpuKernels {
  template <class Op>
  using Run = void (*)(const typename Op::Args&, const Exec&);

  Isa isa;
  std::string_view name;             ///< "avx2"
  Run<Gemm> gemm[kNumGemmFamilies];  ///< in the order of GemmFamily
  Run<QuantizeInput> quantize_input;
  Run<RmsNorm> rmsnorm;
  Run<Rope> rope;
  Run<GatedActivation> gated_activation;
  Run<Softcap> softcap;
  Run<Add> add;
  Run<KvWrite> kv_write;
  Run<Attention> attention;

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
