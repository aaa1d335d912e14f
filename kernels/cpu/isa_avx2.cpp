#if defined(__x86_64__)

#include "kernels/cpu/int_avx2.h"
//
#include "kernels/cpu/bodies.inl"

namespace tern {

constinit const CpuKernels kAvx2Kernels = make_kernels(Isa::kAvx2, "avx2");

}  // namespace tern

#endif
