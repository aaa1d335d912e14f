// Logging set-up. Include this, not spdlog, and only in .cpp files: the header is slow to compile.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "base/status.h"

namespace tern {

/// Sets the format of the default logger (stderr; see log_format.h) to text, and its level.
/// kInvalidArgument where `level` is none of trace, debug, info, warn, error, off. Call once.
Status init_logging(const std::string& level);

/// Sets logging up for a daemon: lines are written by a thread of its own, started here with the
/// caller's signal mask and CPUs. Who logs never waits for whoever reads stderr; where that one is
/// too slow, the oldest lines are lost. `format`: text, json or logfmt.
Status init_daemon_logging(const std::string& level, const std::string& format);

/// A line that is written whatever the level is.
void log_always(const std::string& message);

/// Writes what is queued and ends the thread; before the process ends other than by exit(). Other
/// threads may go on logging: it is not written.
void close_logging();

/// The level in force, any thread.
std::string log_level();

/// Changes the level while running, any thread; returns the one before. kInvalidArgument as above.
Result<std::string> set_log_level(const std::string& level);

}  // namespace tern
