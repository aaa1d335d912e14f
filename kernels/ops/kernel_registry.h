// The tables of all operations.
#pragma once

#include "kernels/ops/activation.h"
#include "kernels/ops/add.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/embed.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/quantize_input.h"
#include "kernels/ops/rmsnorm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/softcap.h"

namespace tern {

struct KernelRegistry {
  KernelTable<Gemm> gemm;
  KernelTable<QuantizeInput> quantize_input;
  KernelTable<RmsNorm> rmsnorm;
  KernelTable<Rope> rope;
  KernelTable<GatedActivation> gated_activation;
  KernelTable<Softcap> softcap;
  KernelTable<Add> add;
  KernelTable<Embed> embed;
  KernelTable<GatherRows> gather_rows;
  KernelTable<GatherCols> gather_cols;
  KernelTable<KvWrite> kv_write;
  KernelTable<Attention> attention;
};

/// fn(table) for the table of every operation.
template <class Registry, class Fn>
void for_each_table(Registry& r, Fn&& fn) {
  fn(r.gemm);
  fn(r.quantize_input);
  fn(r.rmsnorm);
  fn(r.rope);
  fn(r.gated_activation);
  fn(r.softcap);
  fn(r.add);
  fn(r.embed);
  fn(r.gather_rows);
  fn(r.gather_cols);
  fn(r.kv_write);
  fn(r.attention);
}

}  // namespace tern
