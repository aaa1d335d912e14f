#include "kernels/cpu/register.h"

#include <span>

namespace tern {
namespace {

// From general to special: later rows of a table are preferred.
std::span<const CpuKernels* const> all_kernels() {
#if defined(__x86_64__)
  static constexpr const CpuKernels* kAll[] = {&kScalarKernels, &kAvx2Kernels, &kAvx512Kernels};
#else
  static constexpr const CpuKernels* kAll[] = {&kScalarKernels};
#endif
  return kAll;
}

template <class Op>
void add_rows(KernelTable<Op>& table, CpuKernels::Run<Op> CpuKernels::*run) {
  for (const CpuKernels* k : all_kernels()) {
    if (k->isa > cpu_info().best_isa) continue;
    table.add({k->name, Device::kCpu, k->isa, supports_all<Op>, k->*run});
  }
}

template <FormatId id>
bool supports_format(const Gemm::Args& a) {
  return a.w.format == id;
}

}  // namespace

const CpuKernels& cpu_kernels(Isa isa) {
  const CpuKernels* best = &kScalarKernels;
  for (const CpuKernels* k : all_kernels())
    if (k->isa <= isa) best = k;
  return *best;
}

void register_cpu(KernelTable<Gemm>& table) {
  for (const CpuKernels* k : all_kernels()) {
    if (k->isa > cpu_info().best_isa) continue;
    table.add(
        {k->gemm_f32_name, Device::kCpu, k->isa, supports_format<FormatId::kF32>, k->gemm_f32});
    table.add(
        {k->gemm_bf16_name, Device::kCpu, k->isa, supports_format<FormatId::kBf16>, k->gemm_bf16});
  }
}

void register_cpu(KernelTable<RmsNorm>& table) {
  add_rows(table, &CpuKernels::rmsnorm);
}
void register_cpu(KernelTable<Rope>& table) {
  add_rows(table, &CpuKernels::rope);
}
void register_cpu(KernelTable<SiluMul>& table) {
  add_rows(table, &CpuKernels::silu_mul);
}
void register_cpu(KernelTable<Add>& table) {
  add_rows(table, &CpuKernels::add);
}
void register_cpu(KernelTable<Embed>& table) {
  add_rows(table, &CpuKernels::embed);
}
void register_cpu(KernelTable<KvWrite>& table) {
  add_rows(table, &CpuKernels::kv_write);
}
void register_cpu(KernelTable<Attention>& table) {
  add_rows(table, &CpuKernels::attention);
}

}  // namespace tern
