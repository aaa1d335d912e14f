#include "base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include "base/log_format.h"

namespace tern {

namespace {

constexpr size_t kQueuedLines = 8192;

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

void set_default(std::shared_ptr<spdlog::logger> logger, spdlog::level::level_enum level,
                 LogFormat format) {
  logger->set_formatter(make_line_formatter(format));
  logger->set_level(level);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace

Status init_logging(const std::string& level) {
  TERN_ASSIGN(const spdlog::level::level_enum parsed, parse_level(level));
  set_default(spdlog::stderr_color_mt("tern"), parsed, LogFormat::kText);
  return {};
}

Status init_daemon_logging(const std::string& level, const std::string& format) {
  TERN_ASSIGN(const spdlog::level::level_enum parsed, parse_level(level));
  TERN_ASSIGN(const LogFormat parsed_format, parse_log_format(format));
  spdlog::init_thread_pool(kQueuedLines, 1);
  set_default(std::make_shared<spdlog::async_logger>(
                  "tern", std::make_shared<spdlog::sinks::stderr_color_sink_mt>(),
                  spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest),
              parsed, parsed_format);
  return {};
}

void log_always(const std::string& message) {
  spdlog::log(kAlways, "{}", message);
  spdlog::default_logger()->flush();
}

void close_logging() {
  // The logger itself stays: spdlog::shutdown() would take it from under a thread that is about to
  // write, as one that loads a model is when the process is told to stop. Its lines then go nowhere.
  const std::shared_ptr<spdlog::logger> logger = spdlog::default_logger();
  logger->set_error_handler([](const std::string&) {});
  logger->set_level(spdlog::level::off);
  spdlog::details::registry::instance().set_tp(nullptr);  // its end writes what is queued
}

std::string log_level() {
  return level_name(spdlog::default_logger()->level());
}

Result<std::string> set_log_level(const std::string& level) {
  TERN_ASSIGN(const spdlog::level::level_enum parsed, parse_level(level));
  const std::string previous = log_level();
  spdlog::set_level(parsed);
  return previous;
}

}  // namespace tern
