#include "kernels/cpu/register.h"

#include <algorithm>
#include <deque>
#include <span>
#include <string>

namespace tern {
namespace {

// From general to special: later rows of a table are preferred.
std::span<const CpuKernels* const> all_kernels() {
#if defined(__x86_64__)
  static constexpr const CpuKernels* kAll[] = {&kScalarKernels, &kAvx2Kernels, &kAvx512Kernels,
                                               &kAvx512VnniKernels, &kAvx512Bf16Kernels,
                                               &kAmxKernels};
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
    table.add({k->name, Device::kCpu, k->isa, supports_all<Op>, k->*run});
  }
}

template <FormatId... ids>
bool supports_formats(const Gemm::Args& a) {
  return ((a.w.format == ids) || ...);
}

struct Family {
  std::string_view name;
  bool (*supports)(const Gemm::Args&);
};
constexpr Family kFamilies[kNumGemmFamilies] = {
    {"f32", supports_formats<FormatId::kF32>},
    {"f16", supports_formats<FormatId::kF16>},
    {"bf16", supports_formats<FormatId::kBf16>},
    {"bf16_dot", supports_formats<FormatId::kBf16Dot>},
    {"bfp16", supports_formats<FormatId::kBfp16>},
    {"int8", supports_formats<FormatId::kInt8G32, FormatId::kInt8G128>},
    {"int4", supports_formats<FormatId::kInt4G32, FormatId::kInt4G128>},
    {"int4_offset", supports_formats<FormatId::kInt4OffsetG32, FormatId::kInt4OffsetG128>},
    {"int8_a8", supports_formats<FormatId::kInt8G32A8, FormatId::kInt8G128A8>},
    {"int4_a8", supports_formats<FormatId::kInt4G32A8, FormatId::kInt4G128A8>},
    {"int4_offset_a8", supports_formats<FormatId::kInt4OffsetG32A8, FormatId::kInt4OffsetG128A8>},
};

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
  static std::deque<std::string> names;  // what the table views: "bf16_avx512"
  for (const CpuKernels* k : all_kernels()) {
    if (k->isa > cpu_info().best_isa) continue;
    for (int i = 0; i < kNumGemmFamilies; ++i) {
      if (k->gemm[i] == nullptr) continue;
      names.push_back(std::string(kFamilies[i].name) + "_" + std::string(k->name));
      table.add({names.back(), Device::kCpu, k->isa, kFamilies[i].supports, k->gemm[i]});
    }
  }
}
void register_cpu(KernelTable<QuantizeInput>& table) {
  add_rows(table, &CpuKernels::quantize_input);
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
  table.add({"cpu", Device::kCpu, Isa::kScalar, supports_all<Embed>, embed_cpu});
}
void register_cpu(KernelTable<KvWrite>& table) {
  add_rows(table, &CpuKernels::kv_write);
}
void register_cpu(KernelTable<Attention>& table) {
  add_rows(table, &CpuKernels::attention);
}

}  // namespace tern
