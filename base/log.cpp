#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace tern {

namespace {

Result<spdlog::level::level_enum> parse_level(const std::string& level) {
  const spdlog::level::level_enum parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off")
    return invalid_argument("log level '" + level +
                            "': must be trace, debug, info, warn, error or off");
  return parsed;
}

std::string level_name(spdlog::level::level_enum level) {
  const auto name = spdlog::level::to_string_view(level);
  const std::string text(name.data(), name.size());
  return text == "warning" ? "warn" : text;
}

}  // namespace

Status init_logging(const std::string& level) {
  TERN_ASSIGN(const spdlog::level::level_enum parsed, parse_level(level));
  auto logger = spdlog::stderr_color_mt("tern");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

Result<std::string> set_log_level(const std::string& level) {
  TERN_ASSIGN(const spdlog::level::level_enum parsed, parse_level(level));
  const std::string previous = level_name(spdlog::default_logger()->level());
  spdlog::set_level(parsed);
  return previous;
}

}  // namespace tern
