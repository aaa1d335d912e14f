#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace tern {

Status init_logging(const std::string& level) {
  const spdlog::level::level_enum parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off")
    return invalid_argument("log level '" + level +
                            "': must be trace, debug, info, warn, error or off");
  auto logger = spdlog::stderr_color_mt("tern");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace tern
