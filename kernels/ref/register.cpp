#include "kernels/ref/register.h"

namespace tern {
namespace {

template <class Op>
void add_ref_row(KernelTable<Op>& table, void (*run)(const typename Op::Args&, const Exec&)) {
  table.add({kReferenceName, Device::kCpu, Isa::kScalar, supports_all<Op>, run});
}

}  // namespace

void register_ref(KernelTable<Gemm>& table) {
  add_ref_row(table, gemm_ref);
}
void register_ref(KernelTable<QuantizeInput>& table) {
  add_ref_row(table, quantize_input_ref);
}
void register_ref(KernelTable<RmsNorm>& table) {
  add_ref_row(table, rmsnorm_ref);
}
void register_ref(KernelTable<Rope>& table) {
  add_ref_row(table, rope_ref);
}
void register_ref(KernelTable<GatedActivation>& table) {
  add_ref_row(table, gated_activation_ref);
}
void register_ref(KernelTable<Softcap>& table) {
  add_ref_row(table, softcap_ref);
}
void register_ref(KernelTable<Add>& table) {
  add_ref_row(table, add_ref);
}
void register_ref(KernelTable<Embed>& table) {
  add_ref_row(table, embed_ref);
}
void register_ref(KernelTable<KvWrite>& table) {
  add_ref_row(table, kv_write_ref);
}
void register_ref(KernelTable<Attention>& table) {
  add_ref_row(table, attention_ref);
}

}  // namespace tern
