// What the loopback device offers to tests that have an operation of their own: its memory, as
// kernels of its own see it.
#pragma once

#include <cstddef>

namespace tern {

struct LoopbackAccess {
  /// Aborts where [data, data + bytes) is not the device's.
  void (*check)(const void* data, size_t bytes) = nullptr;
  /// Calls run(args) while the device's memory can be used.
  void (*run)(void (*run)(const void* args), const void* args) = nullptr;
};

}  // namespace tern

extern "C" __attribute__((visibility("default"))) const tern::LoopbackAccess*
tern_loopback_access();
