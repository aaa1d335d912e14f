// Logging set-up. Include this, not spdlog, and only in .cpp files: the header is slow to compile.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "base/status.h"

namespace tern {

/// Sets the pattern of the default logger (stderr, UTC, level, thread) and its level.
/// kInvalidArgument where `level` is none of trace, debug, info, warn, error, off. Call once,
/// before threads start.
Status init_logging(const std::string& level);

/// Changes the level while running, any thread; returns the one before. kInvalidArgument as above.
Result<std::string> set_log_level(const std::string& level);

}  // namespace tern
