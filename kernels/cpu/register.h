// Enters the CPU kernels of every instruction set that this machine runs into an operation's table.
#pragma once

#include <vector>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/ops/embed.h"
#include "kernels/ops/gather.h"

namespace tern {

/// The limits of every instruction set that this machine runs, from general to special.
std::vector<Probe> cpu_probes();

/// Look-ups move what others have made: one kernel for every instruction set.
void embed_cpu(const Embed::Args& a, const Exec& ex);
void gather_rows_cpu(const GatherRows::Args& a, const Exec& ex);
void gather_cols_cpu(const GatherCols::Args& a, const Exec& ex);

void register_cpu(KernelTable<Gemm>& table);
void register_cpu(KernelTable<QuantizeInput>& table);
void register_cpu(KernelTable<RmsNorm>& table);
void register_cpu(KernelTable<Rope>& table);
void register_cpu(KernelTable<GatedActivation>& table);
void register_cpu(KernelTable<Softcap>& table);
void register_cpu(KernelTable<Add>& table);
void register_cpu(KernelTable<Embed>& table);
void register_cpu(KernelTable<GatherRows>& table);
void register_cpu(KernelTable<GatherCols>& table);
void register_cpu(KernelTable<KvWrite>& table);
void register_cpu(KernelTable<Attention>& table);

}  // namespace tern
