// Enters the CPU kernels of every instruction set that this machine runs into an operation's table.
#pragma once

#include <vector>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/ops/embed.h"

namespace tern {

/// The limits of every instruction set that this machine runs, from general to special.
std::vector<Probe> cpu_probes();

/// The look-up reads rows through their source: one kernel for every instruction set.
void embed_cpu(const Embed::Args& a, const Exec& ex);

void register_cpu(KernelTable<Gemm>& table);
void register_cpu(KernelTable<QuantizeInput>& table);
void register_cpu(KernelTable<RmsNorm>& table);
void register_cpu(KernelTable<Rope>& table);
void register_cpu(KernelTable<GatedActivation>& table);
void register_cpu(KernelTable<Softcap>& table);
void register_cpu(KernelTable<Add>& table);
void register_cpu(KernelTable<Embed>& table);
void register_cpu(KernelTable<KvWrite>& table);
void register_cpu(KernelTable<Attention>& table);

}  // namespace tern
