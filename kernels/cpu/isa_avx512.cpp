#if defined(__x86_64__)

#include "kernels/cpu/int_avx512.h"
//
#include "kernels/cpu/bodies.inl"

namespace tern {

constinit const CpuKernels kAvx512Kernels = make_kernels(Isa::kAvx512, "avx512");

}  // namespace tern

#endif
