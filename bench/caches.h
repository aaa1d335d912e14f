// How much this machine's caches hold.
#pragma once

#include <cstddef>
#include <string>

namespace tern {

struct Caches {
  size_t l2_bytes = 0;    ///< of the first CPU
  size_t last_bytes = 0;  ///< of the last level, all of the machine's together
};

/// Reads /sys below `root`; 512 KiB and 32 MiB where it does not say.
Caches read_caches(const std::string& root = "");

}  // namespace tern
