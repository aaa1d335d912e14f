#include "kernels/registry.h"

#include "kernels/cpu/register.h"
#include "kernels/ref/register.h"

namespace tern {
namespace {

// Later rows of a table are preferred, so the general ones come first.
template <class... Op>
void register_all(KernelTable<Op>&... tables) {
  (register_ref(tables), ...);
  (register_cpu(tables), ...);
}

}  // namespace

const KernelRegistry& kernels() {
  static const KernelRegistry registry = [] {
    KernelRegistry r;
    register_all(r.gemm, r.quantize_input, r.rmsnorm, r.rope, r.gated_activation, r.softcap, r.add, r.embed,
                 r.kv_write, r.attention);
    return r;
  }();
  return registry;
}

}  // namespace tern
