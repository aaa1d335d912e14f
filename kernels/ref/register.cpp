#include "kernels/ref/register.h"

#include "kernels/formats/kv_panels.h"

namespace tern {

void register_ref(KernelRegistry& registry, Device device) {
  const auto add = [device](auto& table, auto run) {
    table.add({.name = kReferenceName, .device = device, .run = run});
  };
  // A row a packing, for a packing is chosen by the kernels that there are.
  for (const Packing* p : packings())
    registry.gemm.add({.name = kReferenceName, .device = device, .layout = p, .run = gemm_ref});
  add(registry.quantize_input, quantize_input_ref);
  add(registry.rmsnorm, rmsnorm_ref);
  add(registry.rope, rope_ref);
  add(registry.gated_activation, gated_activation_ref);
  add(registry.softcap, softcap_ref);
  add(registry.add, add_ref);
  add(registry.embed, embed_ref);
  add(registry.gather_rows, gather_rows_ref);
  add(registry.gather_cols, gather_cols_ref);
  registry.kv_write.add(
      {.name = kReferenceName, .device = device, .layout = &kKvPanels, .run = kv_write_ref});
  registry.attention.add(
      {.name = kReferenceName, .device = device, .layout = &kKvPanels, .run = attention_ref});
}

}  // namespace tern
