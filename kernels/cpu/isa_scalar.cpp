#include "kernels/cpu/int_scalar.h"
//
#include "kernels/cpu/bodies.inl"

namespace tern {

constinit const CpuKernels kScalarKernels = make_kernels(Isa::kScalar, "scalar");

}  // namespace tern
