// Enters the reference of each operation into its table.
#pragma once

#include "kernels/ops/activation.h"
#include "kernels/ops/add.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/embed.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/quantize_input.h"
#include "kernels/ops/rmsnorm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/softcap.h"

namespace tern {

void register_ref(KernelTable<Gemm>& table);
void register_ref(KernelTable<QuantizeInput>& table);
void register_ref(KernelTable<RmsNorm>& table);
void register_ref(KernelTable<Rope>& table);
void register_ref(KernelTable<GatedActivation>& table);
void register_ref(KernelTable<Softcap>& table);
void register_ref(KernelTable<Add>& table);
void register_ref(KernelTable<Embed>& table);
void register_ref(KernelTable<KvWrite>& table);
void register_ref(KernelTable<Attention>& table);

}  // namespace tern
