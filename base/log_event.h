// A fact for the log as names and values, so that every format of the log can show it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tern {

/// `LogEvent("request").text("id", id).number("tokens", 3).info()`: in text `request id=…
/// tokens=3`, in JSON members of their own. Values may hold any bytes: none of them ends a line or
/// a value.
class LogEvent {
 public:
  explicit LogEvent(std::string_view message);

  LogEvent& text(std::string_view name, std::string_view value);

  /// Nothing where `value` is empty.
  LogEvent& text_if_any(std::string_view name, std::string_view value);

  LogEvent& number(std::string_view name, int64_t value);
  LogEvent& number(std::string_view name, double value, int num_decimals);

  /// Writes it, at the level info.
  void info() const;

  /// The parts, as the line formatter reads them: the message, then name and value in turn.
  static constexpr char kMark = '\x1F';    ///< in front of the message, and of each name
  static constexpr char kText = '\x1E';    ///< in front of a value that is text
  static constexpr char kNumber = '\x1D';  ///< in front of one that is a number
  const std::string& encoded() const { return encoded_; }

 private:
  LogEvent& add(std::string_view name, char kind, std::string_view value);

  std::string encoded_;
};

}  // namespace tern
