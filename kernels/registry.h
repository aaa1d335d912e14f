// All kernels of this build.
#pragma once

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/add.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/embed.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/probe.h"
#include "kernels/ops/quantize_input.h"
#include "kernels/ops/rmsnorm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/softcap.h"

namespace tern {

struct KernelRegistry {
  KernelTable<Gemm> gemm;
  KernelTable<QuantizeInput> quantize_input;
  KernelTable<RmsNorm> rmsnorm;
  KernelTable<Rope> rope;
  KernelTable<GatedActivation> gated_activation;
  KernelTable<Softcap> softcap;
  KernelTable<Add> add;
  KernelTable<Embed> embed;
  KernelTable<KvWrite> kv_write;
  KernelTable<Attention> attention;
};

/// fn(table) for the table of every operation.
template <class Registry, class Fn>
void for_each_table(Registry& r, Fn&& fn) {
  fn(r.gemm);
  fn(r.quantize_input);
  fn(r.rmsnorm);
  fn(r.rope);
  fn(r.gated_activation);
  fn(r.softcap);
  fn(r.add);
  fn(r.embed);
  fn(r.kv_write);
  fn(r.attention);
}

/// Built at first use from the register_*() functions that registry.cpp names; read-only
/// afterwards. Holds only kernels that this machine can run. Any thread.
const KernelRegistry& kernels();

/// What the instruction sets of this machine can do at most, from general to special.
std::vector<Probe> probes();

/// Which kernels ran, and how long. One thread.
class KernelLog {
 public:
  struct Entry {
    int64_t calls = 0;
    double seconds = 0;
  };
  using Entries = std::map<std::pair<std::string_view, std::string_view>, Entry>;

  void note(std::string_view op, std::string_view kernel, double seconds) {
    Entry& e = entries_[{op, kernel}];
    ++e.calls;
    e.seconds += seconds;
  }
  const Entries& entries() const { return entries_; }  ///< by operation and kernel
  void clear() { entries_.clear(); }

 private:
  Entries entries_;
};

/// Runs the preferred kernel for `a`. Aborts where none supports them: engine/ has checked the
/// model when loading it.
template <class Op>
void dispatch(const KernelTable<Op>& table, const typename Op::Args& a, const Exec& ex) {
  const Kernel<Op>* kernel = table.select(a, ex);
  TERN_CHECK(kernel != nullptr, Op::kName);
  if (ex.log == nullptr) return kernel->run(a, ex);
  const TimePoint start = std::chrono::steady_clock::now();
  kernel->run(a, ex);
  ex.log->note(Op::kName, kernel->name, to_seconds(std::chrono::steady_clock::now() - start));
}

}  // namespace tern
