// All kernels of this build.
#pragma once

#include <set>
#include <string>

#include "base/check.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/add.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/embed.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/rmsnorm.h"
#include "kernels/ops/rope.h"

namespace tern {

struct KernelRegistry {
  KernelTable<Gemm> gemm;
  KernelTable<RmsNorm> rmsnorm;
  KernelTable<Rope> rope;
  KernelTable<SiluMul> silu_mul;
  KernelTable<Add> add;
  KernelTable<Embed> embed;
  KernelTable<KvWrite> kv_write;
  KernelTable<Attention> attention;
};

/// Built at first use from the register_*() functions that registry.cpp names; read-only
/// afterwards. Holds only kernels that this machine can run. Any thread.
const KernelRegistry& kernels();

/// Which kernels ran. One thread.
class KernelLog {
 public:
  void note(std::string_view op, std::string_view kernel) {
    names_.insert(std::string(op) + ":" + std::string(kernel));
  }
  const std::set<std::string>& names() const { return names_; }  ///< "gemm:bf16_avx512"

 private:
  std::set<std::string> names_;
};

/// Runs the preferred kernel for `a`. Aborts where none supports them: engine/ has checked the
/// model when loading it.
template <class Op>
void dispatch(const KernelTable<Op>& table, const typename Op::Args& a, const Exec& ex) {
  const Kernel<Op>* kernel = table.select(a, ex);
  TERN_CHECK(kernel != nullptr, Op::kName);
  if (ex.log != nullptr) ex.log->note(Op::kName, kernel->name);
  kernel->run(a, ex);
}

}  // namespace tern
