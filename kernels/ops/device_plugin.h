// What a shared object libtern_<name>.so offers: a device's kernels and its memory.
#pragma once

#include "base/device_memory.h"
#include "kernels/ops/kernel_registry.h"

namespace tern {

/// Counts up with every change of what plug-in and host share: this struct, DeviceMemory, the
/// operations' arguments.
constexpr int kDevicePluginAbi = 2;

/// A plug-in links kernels/formats and base alone, and is built by the host's compiler.
struct DevicePlugin {
  int abi = kDevicePluginAbi;
  const char* name = nullptr;  ///< what --device says: "cuda"
  const char* unavailable =
      nullptr;  ///< why this machine cannot use it: "no driver"; null = it can

  /// Adds the device's kernels; those of one operation from general to special. Called once, before
  /// any runs.
  void (*add_kernels)(KernelRegistry& registry, Device device) = nullptr;

  /// The memory of device number `ordinal`; it is the plug-in's, and stays until the process ends.
  Result<DeviceMemory*> (*open)(int ordinal) = nullptr;
};

}  // namespace tern

/// The one entry: what is found there stays as it is.
extern "C" __attribute__((visibility("default"))) const tern::DevicePlugin* tern_device_plugin();
