// One table of kernels per operation: the dispatcher, the parity tests and the benchmarks all read
// the same table.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/device.h"

namespace tern {

/// What the plain kernel of every operation is called: the meaning, not something to run.
constexpr std::string_view kReferenceName = "ref";

/// What says how an operand lies in memory, of an operation that takes it in several ways
/// (Op::Layout). It is `void` for all others.
template <class Op>
struct LayoutOf {
  using Type = void;
};
template <class Op>
requires requires {
  typename Op::Layout;
}
struct LayoutOf<Op> {
  using Type = typename Op::Layout;
};

template <class Op>
struct Kernel {
  using Layout = typename LayoutOf<Op>::Type;

  std::string_view name;  ///< "bf16_avx512": what differs from its siblings
  Device device = Device::kCpu;
  Isa isa = Isa::kScalar;          ///< CPU only: what it needs
  const Layout* layout = nullptr;  ///< the one that it reads; null = all
  void (*run)(const typename Op::Args&, const Exec&) = nullptr;

  /// Bytes of Args::scratch that a run on `ex` needs; null = none. Reads no data.
  size_t (*scratch_bytes)(const typename Op::Args&, const Exec& ex) = nullptr;

  /// By shapes and layouts; reads no data.
  bool supports(const typename Op::Args& args) const {
    if constexpr (requires { Op::layout(args); })
      return layout == nullptr || layout == Op::layout(args);
    return true;
  }
};

template <class Op>
class KernelTable {
 public:
  /// Later entries are preferred, so general kernels come before special ones.
  void add(Kernel<Op> k) { kernels_.push_back(k); }

  /// The preferred kernel for `args` on `ex`, or null where none supports them.
  const Kernel<Op>* select(const typename Op::Args& args, const Exec& ex) const {
    return find(ex, [&](const Kernel<Op>& k) { return k.supports(args); });
  }

  /// The preferred kernel on `ex` of which fits(kernel) is true, or null.
  template <class Fits>
  const Kernel<Op>* find(const Exec& ex, const Fits& fits) const {
    for (auto k = kernels_.rbegin(); k != kernels_.rend(); ++k)
      if (k->device == ex.device && k->isa <= ex.isa && fits(*k)) return &*k;
    return nullptr;
  }

  const std::vector<Kernel<Op>>& all() const { return kernels_; }

 private:
  std::vector<Kernel<Op>> kernels_;
};

}  // namespace tern
