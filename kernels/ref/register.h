// Enters the reference of every operation into its table.
#pragma once

#include "kernels/ops/kernel_registry.h"

namespace tern {

/// They serve `device`, whose memory the calling thread can use as its own.
void register_ref(KernelRegistry& registry, Device device);

}  // namespace tern
