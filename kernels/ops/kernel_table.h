// One table of kernels per operation: the dispatcher, the parity tests and the benchmarks all read
// the same table.
#pragma once

#include <string_view>
#include <vector>

#include "base/device.h"

namespace tern {

/// What the plain kernel of every operation is called: the meaning, not something to run.
constexpr std::string_view kReferenceName = "ref";

template <class Op>
struct Kernel {
  std::string_view name;  ///< "bf16_avx512": what differs from its siblings
  Device device = Device::kCpu;
  Isa isa = Isa::kScalar;                                ///< CPU only: what it needs
  bool (*supports)(const typename Op::Args&) = nullptr;  ///< shapes, formats; reads no data
  void (*run)(const typename Op::Args&, const Exec&) = nullptr;
};

template <class Op>
class KernelTable {
 public:
  /// Later entries are preferred, so general kernels come before special ones.
  void add(Kernel<Op> k) { kernels_.push_back(k); }

  /// The preferred kernel for `args` on `ex`, or null where none supports them.
  const Kernel<Op>* select(const typename Op::Args& args, const Exec& ex) const {
    for (auto k = kernels_.rbegin(); k != kernels_.rend(); ++k)
      if (k->device == ex.device && k->isa <= ex.isa && k->supports(args)) return &*k;
    return nullptr;
  }

  const std::vector<Kernel<Op>>& all() const { return kernels_; }

 private:
  std::vector<Kernel<Op>> kernels_;
};

/// For kernels that take every argument their operation allows.
template <class Op>
bool supports_all(const typename Op::Args&) {
  return true;
}

}  // namespace tern
