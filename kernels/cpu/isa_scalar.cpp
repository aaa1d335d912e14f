#include "kernels/cpu/vec_scalar.h"
//
#include "kernels/cpu/bodies.inl"

namespace tern {

constinit const CpuKernels kScalarKernels =
    make_kernels(Isa::kScalar, "scalar", "f32_scalar", "bf16_scalar");

}  // namespace tern
