// Arguments to time kernels with. The walk (kernels.h) knows nothing else of an operation.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "bench/roofline.h"
#include "kernels/registry.h"

namespace tern {

using Shape = std::vector<int64_t>;

/// Successive calls take args[0], args[1], … and begin anew, so that what a model reads once a step
/// (weights, stored keys) comes from memory.
template <class Op>
struct Case {
  Work work;
  std::vector<typename Op::Args> args;
  std::shared_ptr<const void> memory;  ///< what args view
};

struct PackedWeights;

/// What the cases of a walk share.
struct CaseContext {
  ThreadPool& pool;
  size_t cold_bytes;                             ///< that caches cannot hold
  std::shared_ptr<const PackedWeights> weights;  ///< of the last gemm case: packing takes longest
};

template <class Op>
struct Cases {
  std::string_view shape;             ///< what --shape says: "MxNxK"
  std::vector<Shape> default_shapes;  ///< in the order in which they are measured

  /// kResourceExhausted where memory is short. `format` is one of `formats`; the shape has as many
  /// dimensions as `shape`, each from 1 on, and check() is content.
  Result<Case<Op>> (*make)(const Format* format, const Shape& shape, CaseContext& context);

  std::vector<const Format*> formats{nullptr};  ///< those that some kernel takes; null = has none
  Status (*check)(const Shape&) = [](const Shape&) { return Status(); };
};

Cases<Gemm> cases_of(const KernelTable<Gemm>&);
Cases<QuantizeInput> cases_of(const KernelTable<QuantizeInput>&);
Cases<RmsNorm> cases_of(const KernelTable<RmsNorm>&);
Cases<Rope> cases_of(const KernelTable<Rope>&);
Cases<GatedActivation> cases_of(const KernelTable<GatedActivation>&);
Cases<Softcap> cases_of(const KernelTable<Softcap>&);
Cases<Add> cases_of(const KernelTable<Add>&);
Cases<Embed> cases_of(const KernelTable<Embed>&);
Cases<GatherRows> cases_of(const KernelTable<GatherRows>&);
Cases<GatherCols> cases_of(const KernelTable<GatherCols>&);
Cases<KvWrite> cases_of(const KernelTable<KvWrite>&);
Cases<Attention> cases_of(const KernelTable<Attention>&);

}  // namespace tern
