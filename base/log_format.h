// How lines of the log look.
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string>

#include "base/status.h"

namespace tern {

enum class LogFormat {
  kText,    ///< 2026-01-31T12:00:00.000Z info message name=value
  kJson,    ///< {"time":"…","level":"info","msg":"message","name":"value"}
  kLogfmt,  ///< time=… level=info msg=message name=value
};

/// kInvalidArgument where `name` is none of text, json, logfmt.
Result<LogFormat> parse_log_format(const std::string& name);

/// Formats messages and LogEvents. Whatever bytes a message holds, it makes one line, but for
/// kText: there the message's own line feeds stay, and what follows them is indented, so that no
/// line but ours begins with a time. Text is UTF-8; nothing in it moves a terminal's cursor.
std::unique_ptr<spdlog::formatter> make_line_formatter(LogFormat format);

/// The level of lines that are written whatever log.level says; they read `info`.
constexpr spdlog::level::level_enum kAlways = spdlog::level::off;

}  // namespace tern
