// The whole of a file that a person named.
#pragma once

#include <string>

#include "base/status.h"

namespace tern {

/// All bytes of `path`, which may be a pipe or a device, too. kNotFound, kPermissionDenied,
/// kInvalidArgument (a directory) or kUnavailable: "cannot read PATH: why".
Result<std::string> read_whole_file(const std::string& path);

}  // namespace tern
