// Enters the CPU kernels of every instruction set that this machine runs into an operation's table.
#pragma once

#include "kernels/cpu/cpu_kernels.h"

namespace tern {

void register_cpu(KernelTable<Gemm>& table);
void register_cpu(KernelTable<RmsNorm>& table);
void register_cpu(KernelTable<Rope>& table);
void register_cpu(KernelTable<SiluMul>& table);
void register_cpu(KernelTable<Add>& table);
void register_cpu(KernelTable<Embed>& table);
void register_cpu(KernelTable<KvWrite>& table);
void register_cpu(KernelTable<Attention>& table);

}  // namespace tern
