#include "base/log_event.h"

#include <algorithm>

#include "base/log.h"

namespace tern {
namespace {

bool is_mark(char c) {
  return c == LogEvent::kMark || c == LogEvent::kText || c == LogEvent::kNumber;
}

std::string without_marks(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), is_mark, '?');
  return out;
}

}  // namespace

LogEvent::LogEvent(std::string_view message) : encoded_(kMark + without_marks(message)) {}

LogEvent& LogEvent::add(std::string_view name, char kind, std::string_view value) {
  encoded_ += kMark;
  encoded_ += name;
  encoded_ += kind;
  encoded_ += without_marks(value);
  return *this;
}

LogEvent& LogEvent::text(std::string_view name, std::string_view value) {
  return add(name, kText, value);
}

LogEvent& LogEvent::text_if_any(std::string_view name, std::string_view value) {
  return value.empty() ? *this : text(name, value);
}

LogEvent& LogEvent::number(std::string_view name, int64_t value) {
  return add(name, kNumber, std::to_string(value));
}

LogEvent& LogEvent::number(std::string_view name, double value, int num_decimals) {
  return add(name, kNumber, fmt::format("{:.{}f}", value, num_decimals));
}

void LogEvent::info() const {
  spdlog::info("{}", encoded_);
}

}  // namespace tern
