#if defined(__aarch64__)

#include "kernels/cpu/int_neon.h"
//
#include "kernels/cpu/bodies.inl"

namespace tern {

constinit const CpuKernels kNeonKernels = make_kernels(Isa::kNeon, "neon");

}  // namespace tern

#endif
