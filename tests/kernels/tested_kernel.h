// Kernels of every device, run with arguments of the host: the parity tests know no device.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "kernels/staged_arrays.h"

namespace tern {

/// One row of a table.
template <class Op>
struct TestedKernel {
  const Kernel<Op>& kernel;
  std::string name;

  bool supports(const typename Op::Args& a) const { return kernel.supports(a); }

  /// Does what Kernel::run does, with arguments of the host, whatever the device. Gives it the
  /// scratch that it asks for.
  void run(typename Op::Args a, Exec ex) const {
    ex.device = kernel.device;
    DeviceMemory& memory = device_memory(kernel.device);
    Buffer scratch;
    if (kernel.scratch_bytes != nullptr) {
      const size_t bytes = kernel.scratch_bytes(a, ex);
      scratch = *Buffer::allocate(bytes, memory);
      if (memory.is_host()) std::memset(scratch.data(), 0xff, bytes);
      if constexpr (requires { a.scratch; }) a.scratch = scratch.data();
    }
    if (memory.is_host()) return kernel.run(a, ex);
    StagedArrays arrays(memory);
    TERN_CHECK(arrays.stage<Op>({&a, 1}).ok(), "memory for arguments");
    kernel.run(a, ex);
    memory.wait(ex.stream);
    arrays.bring_back();
  }
};

template <class Op>
std::vector<TestedKernel<Op>> tested_kernels(const KernelTable<Op>& table) {
  std::vector<TestedKernel<Op>> all;
  for (const Kernel<Op>& k : table.all())
    all.push_back({k, std::string(k.name) + " on " + std::string(device_name(k.device))});
  return all;
}

}  // namespace tern
