// The files that evaluations read.
#pragma once

#include <string>

#include "base/status.h"

namespace tern {

/// The whole file; a pipe, too, and "-" is stdin. Errors as MappedFile::open and read_text().
Result<std::string> read_input(const std::string& path);

}  // namespace tern
