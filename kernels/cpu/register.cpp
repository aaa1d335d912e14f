#include "kernels/cpu/register.h"

#include <algorithm>
#include <deque>
#include <span>
#include <string>

#include "kernels/formats/kv_panels.h"

namespace tern {
namespace {

// From general to special: later rows of a table are preferred.
std::span<const CpuKernels* const> all_kernels() {
#if defined(__x86_64__)
  static constexpr const CpuKernels* kAll[] = {&kScalarKernels,     &kAvx2Kernels,
                                               &kAvx512Kernels,     &kAvx512VnniKernels,
                                               &kAvx512Bf16Kernels, &kAmxKernels};
#elif defined(__aarch64__)
  static constexpr const CpuKernels* kAll[] = {&kScalarKernels, &kNeonKernels};
#else
  static constexpr const CpuKernels* kAll[] = {&kScalarKernels};
#endif
  return kAll;
}

template <class Op>
void add_rows(KernelTable<Op>& table, CpuKernels::Run<Op> CpuKernels::*run) {
  for (const CpuKernels* k : all_kernels()) {
    if (k->isa > cpu_info().best_isa || k->*run == nullptr) continue;
    table.add({.name = k->name, .isa = k->isa, .run = k->*run});
  }
}

/// What a kernel for one layout is called: "int4_offset_a8" of a packing, "int8" of an input.
std::string name_of(const Packing& p) {
  return std::string(p.name).append(p.input->suffix);
}
std::string name_of(const InputLayout& l) {
  return std::string(l.name);
}

template <class Op, size_t kCount>
void add_lists(KernelTable<Op>& table, CpuKernels::Row<Op> (CpuKernels::*rows)[kCount]) {
  static std::deque<std::string> names;  // what the table views: "bf16_avx512"
  for (const CpuKernels* k : all_kernels()) {
    if (k->isa > cpu_info().best_isa) continue;
    for (const CpuKernels::Row<Op>& row : k->*rows) {
      if (row.layout == nullptr) break;
      names.push_back(name_of(*row.layout) + "_" + std::string(k->name));
      table.add({.name = names.back(), .isa = k->isa, .layout = row.layout, .run = row.run});
    }
  }
}

}  // namespace

const CpuKernels& cpu_kernels(Isa isa) {
  const CpuKernels* best = &kScalarKernels;
  for (const CpuKernels* k : all_kernels())
    if (k->isa <= isa && k->exp != nullptr) best = k;
  return *best;
}

std::vector<Probe> cpu_probes() {
  std::vector<Probe> probes;
  for (const CpuKernels* k : all_kernels()) {
    if (k->isa > cpu_info().best_isa) continue;
    Probe& p = probes.emplace_back(Probe{.isa = k->isa, .read = k->read});
    std::copy(std::begin(k->multiply), std::end(k->multiply), p.multiply);
  }
  return probes;
}

void register_cpu(KernelTable<Gemm>& table) {
  add_lists(table, &CpuKernels::gemm);
}
void register_cpu(KernelTable<QuantizeInput>& table) {
  add_lists(table, &CpuKernels::quantize_input);
}
void register_cpu(KernelTable<RmsNorm>& table) {
  add_rows(table, &CpuKernels::rmsnorm);
}
void register_cpu(KernelTable<Rope>& table) {
  add_rows(table, &CpuKernels::rope);
}
void register_cpu(KernelTable<GatedActivation>& table) {
  add_rows(table, &CpuKernels::gated_activation);
}
void register_cpu(KernelTable<Softcap>& table) {
  add_rows(table, &CpuKernels::softcap);
}
void register_cpu(KernelTable<Add>& table) {
  add_rows(table, &CpuKernels::add);
}
void register_cpu(KernelTable<Embed>& table) {
  table.add({.name = "cpu", .run = embed_cpu});
}
void register_cpu(KernelTable<GatherRows>& table) {
  table.add({.name = "cpu", .run = gather_rows_cpu});
}
void register_cpu(KernelTable<GatherCols>& table) {
  table.add({.name = "cpu", .run = gather_cols_cpu});
}
void register_cpu(KernelTable<KvWrite>& table) {
  for (const CpuKernels* k : all_kernels())
    if (k->isa <= cpu_info().best_isa && k->kv_write != nullptr)
      table.add({.name = k->name, .isa = k->isa, .layout = &kKvPanels, .run = k->kv_write});
}
void register_cpu(KernelTable<Attention>& table) {
  for (const CpuKernels* k : all_kernels())
    if (k->isa <= cpu_info().best_isa && k->attention != nullptr)
      table.add({.name = k->name,
                 .isa = k->isa,
                 .layout = &kKvPanels,
                 .run = k->attention,
                 .scratch_bytes = k->attention_scratch_bytes});
}

}  // namespace tern
