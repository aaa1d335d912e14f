// All kernels of this process: the host's own, and those of the devices that were opened at its
// start.
#pragma once

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/device_memory.h"
#include "kernels/ops/device_plugin.h"
#include "kernels/ops/kernel_registry.h"
#include "kernels/ops/probe.h"

namespace tern {

/// Frozen by its first call; holds only kernels that this machine can run. Any thread.
const KernelRegistry& kernels();

/// For whoever adds kernels before the first call of kernels(): plug-ins and tests. Aborts behind
/// it. One thread.
KernelRegistry& open_kernels();

/// "cpu", or the device of a plug-in: `name`, or "name:1" for its second, of libtern_<name>.so in
/// the folder that TERN_PLUGINS names, beside the program, or in ../lib/tern from there. Its
/// kernels are added. Before the first call of kernels(), or of a device that is open. kNotFound
/// naming where it looked, kFailedPrecondition naming why the plug-in cannot be used. One thread.
Result<Device> open_device(std::string_view name);

/// The name that open_device() was given: "cpu".
std::string_view device_name(Device device);
DeviceMemory& device_memory(Device device);

/// The format in which `device` keeps weights written as `encoding`: the packing of the preferred
/// kernel on `ex` that takes them for `compute`; where no kernel does, f32, decoded once, at
/// loading.
Format choose_format(const Encoding& encoding, Compute compute, const Exec& ex);

/// How the kernels of `ex` keep keys and values.
const KvFormat& choose_kv_format(const Exec& ex);

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

/// The preferred kernel for `a`. Aborts where none supports them: engine/ has checked the model
/// when loading it.
template <class Op>
const Kernel<Op>& preferred(const KernelTable<Op>& table, const typename Op::Args& a,
                            const Exec& ex) {
  const Kernel<Op>* kernel = table.select(a, ex);
  TERN_CHECK(kernel != nullptr, Op::kName);
  return *kernel;
}

/// Bytes of scratch that dispatch() wants in `a`.
template <class Op>
size_t scratch_bytes(const KernelTable<Op>& table, const typename Op::Args& a, const Exec& ex) {
  const Kernel<Op>& kernel = preferred(table, a, ex);
  return kernel.scratch_bytes != nullptr ? kernel.scratch_bytes(a, ex) : 0;
}

/// Runs the preferred kernel for `a`; nothing in a dry run.
template <class Op>
void dispatch(const KernelTable<Op>& table, const typename Op::Args& a, const Exec& ex) {
  if (ex.dry_run_threads > 0) return;
  const Kernel<Op>& kernel = preferred(table, a, ex);
  if (ex.log == nullptr) return kernel.run(a, ex);
  const TimePoint start = std::chrono::steady_clock::now();
  kernel.run(a, ex);
  ex.log->note(Op::kName, kernel.name, to_seconds(std::chrono::steady_clock::now() - start));
}

}  // namespace tern
