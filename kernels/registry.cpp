#include "kernels/registry.h"

#include <atomic>

#include "kernels/cpu/register.h"
#include "kernels/ref/register.h"

namespace tern {
namespace {

std::atomic<bool> frozen = false;

KernelRegistry& registry() {
  static KernelRegistry built_in = [] {
    KernelRegistry r;
    // Later rows of a table are preferred, so the general ones come first.
    register_ref(r, Device::kCpu);
    for_each_table(r, [](auto& table) { register_cpu(table); });
    return r;
  }();
  return built_in;
}

}  // namespace

const KernelRegistry& kernels() {
  static const KernelRegistry& all = []() -> const KernelRegistry& {
    frozen = true;
    return registry();
  }();
  return all;
}

KernelRegistry& open_kernels() {
  TERN_CHECK(!frozen, "kernels are added before the first is looked up");
  return registry();
}

Format choose_format(const Encoding& encoding, Compute compute, const Exec& ex) {
  Encoding weights =
      encoding;  // a transform of the input comes before its layout: any packing goes with it
  weights.input = InputTransform::kNone;
  const auto fits = [&](const Kernel<Gemm>& k) {
    return k.layout != nullptr && (k.layout->computes & only(compute)) && k.layout->takes(weights);
  };
  const Kernel<Gemm>* kernel = kernels().gemm.find(ex, fits);
  if (kernel != nullptr) return {kernel->layout, encoding};
  weights = Encoding::floats(DType::kF32);
  kernel = kernels().gemm.find(ex, fits);
  TERN_CHECK(kernel != nullptr, "every device multiplies f32");
  weights.input = encoding.input;
  return {kernel->layout, weights};
}

const KvFormat& choose_kv_format(const Exec& ex) {
  const Kernel<Attention>* kernel =
      kernels().attention.find(ex, [](const Kernel<Attention>& k) { return k.layout != nullptr; });
  TERN_CHECK(kernel != nullptr, "every device has attention");
  return *kernel->layout;
}

std::vector<Probe> probes() {
  return cpu_probes();
}

}  // namespace tern
