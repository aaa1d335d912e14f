// The memory of a device: what holds weights, keys and values, and the scratch of a step.
#pragma once

#include <cstddef>

#include "base/status.h"

namespace tern {

/// Any thread, but one at a time. Addresses are the device's: the host may read and write them only
/// where is_host().
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;

  /// `bytes` > 0, aligned to 64 at least, uninitialised. kResourceExhausted naming the size.
  virtual Result<void*> allocate(size_t bytes) = 0;
  virtual void free(void* data, size_t bytes) = 0;

  /// Copies between host and device, in the order of `stream` (null: the device's own); done after
  /// wait(). The host's side must stay as it is until then.
  virtual void copy_to_device(void* to, const void* from, size_t bytes, void* stream) = 0;
  virtual void copy_to_host(void* to, const void* from, size_t bytes, void* stream) = 0;
  /// Copies within the device, in the order of `stream`; the ranges do not overlap.
  virtual void copy_on_device(void* to, const void* from, size_t bytes, void* stream) = 0;
  virtual void wait(void* stream) = 0;

  virtual bool is_host() const { return false; }

  /// Takes [data, data + bytes) from the system now, not at its first use; keeps what it holds.
  /// Beside users of the memory. What cannot do so does nothing.
  virtual void populate(void* data, size_t bytes) { (void)data, (void)bytes; }
};

/// Huge pages are asked for where the size is worth it.
DeviceMemory& host_memory();

}  // namespace tern
