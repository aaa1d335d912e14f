#include "kernels/registry.h"

#include "kernels/cpu/register.h"
#include "kernels/ref/register.h"

namespace tern {

const KernelRegistry& kernels() {
  static const KernelRegistry registry = [] {
    KernelRegistry r;
    // Later rows of a table are preferred, so the general ones come first.
    for_each_table(r, [](auto& table) {
      register_ref(table);
      register_cpu(table);
    });
    return r;
  }();
  return registry;
}

std::vector<Probe> probes() {
  return cpu_probes();
}

}  // namespace tern
