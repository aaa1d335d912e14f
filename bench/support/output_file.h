// Files that a run leaves, known to be writable before it begins.
#pragma once

#include <string>

#include "base/status.h"

namespace tern::bench {

/// Whether `path` can be written; what is there stays as it is, and nothing is left where nothing
/// was. kUnavailable naming the path.
Status check_writable(const std::string& path);

/// kUnavailable naming the path.
Status write_file(const std::string& path, const std::string& text);

}  // namespace tern::bench
