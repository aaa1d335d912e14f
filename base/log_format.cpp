#include "base/log_format.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iterator>
#include <vector>

#include "base/log_event.h"
#include "base/utf8.h"

namespace tern {
namespace {

struct Field {
  std::string_view name, value;
  bool is_number = false;
};

struct Line {
  std::string time;
  std::string_view level, message;
  std::vector<Field> fields;
};

std::string utc(spdlog::log_clock::time_point time) {
  using std::chrono::milliseconds;
  const int64_t ms = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ms % 1000);
}

std::string_view level_of(const spdlog::details::log_msg& message) {
  const auto name =
      spdlog::level::to_string_view(message.level == kAlways ? spdlog::level::info : message.level);
  return {name.data(), name.size()};
}

// Splits what LogEvent has joined.
void split(std::string_view payload, Line* line) {
  line->message = payload;
  if (payload.empty() || payload[0] != LogEvent::kMark) return;
  constexpr char kKinds[] = {LogEvent::kText, LogEvent::kNumber, 0};
  for (bool is_message = true; !payload.empty(); is_message = false) {
    payload.remove_prefix(1);
    const std::string_view part = payload.substr(0, payload.find(LogEvent::kMark));
    payload.remove_prefix(part.size());
    const size_t kind = part.find_first_of(kKinds);
    if (is_message)
      line->message = part;
    else if (kind != part.npos)
      line->fields.push_back(
          {part.substr(0, kind), part.substr(kind + 1), part[kind] == LogEvent::kNumber});
  }
}

// A character that must not reach a reader as it is.
struct Unsafe {
  unsigned code = 0;
  size_t size = 0;  // in bytes; 0: it may
};

// Tells whether a terminal must not see the character at `i` of valid UTF-8: C0, DEL and the C1
// controls, which terminals obey too; what ends a line or a paragraph, or turns the direction of
// what is shown; the byte order mark, which nobody sees.
Unsafe unsafe_at(std::string_view text, size_t i) {
  const auto byte = [&](size_t k) -> unsigned {
    return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0;
  };
  const unsigned c = byte(0);
  if (c < ' ' || c == 0x7F) return {c, 1};
  if (c == 0xC2 && byte(1) < 0xA0) return {byte(1), 2};
  if (c != 0xE2 && c != 0xEF) return {};
  const unsigned code = (c & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  const bool is_unsafe =
      (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
  return is_unsafe ? Unsafe{code, 3} : Unsafe{};
}

// Turns any bytes into printable UTF-8, escaped as in a JSON string, without the quotes.
std::string escaped(std::string_view bytes) {
  const std::string text = sanitize_utf8(bytes);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (const Unsafe unsafe = unsafe_at(text, i); unsafe.size > 0) {
      out += fmt::format("\\u{:04x}", unsafe.code);
      i += unsafe.size - 1;
    } else {
      out += c;
    }
  }
  return out;
}

std::string quoted(std::string_view bytes) {
  return '"' + escaped(bytes) + '"';
}

// A bare word where that is clear, else quoted.
std::string word(std::string_view value) {
  const bool is_plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
  });
  return is_plain ? std::string(value) : quoted(value);
}

// A message for people: its own line feeds stay.
std::string readable(std::string_view bytes) {
  const std::string text = sanitize_utf8(bytes);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      out += i + 1 < text.size() ? "\n    " : "";
    } else if (const size_t size = unsafe_at(text, i).size; size > 0) {
      out += escaped(std::string_view(text).substr(i, size));
      i += size - 1;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string words(const Line& line) {
  std::string out;
  for (const Field& field : line.fields)
    out.append(" ").append(field.name).append("=").append(word(field.value));
  return out;
}

bool is_json_number(const Field& field) {
  return field.is_number && field.value.find_first_not_of("-.0123456789") == field.value.npos;
}

std::string json(const Line& line) {
  std::string out = fmt::format(R"({{"time":"{}","level":"{}","msg":{})", line.time, line.level,
                                quoted(line.message));
  for (const Field& field : line.fields)
    out.append(",")
        .append(quoted(field.name))
        .append(":")
        .append(is_json_number(field) ? std::string(field.value) : quoted(field.value));
  return out + "}";
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    Line line{.time = utc(message.time), .level = level_of(message)};
    split({message.payload.data(), message.payload.size()}, &line);
    if (format_ == LogFormat::kText) {
      message.color_range_start = line.time.size() + 1;
      message.color_range_end = message.color_range_start + line.level.size();
    }
    fmt::format_to(std::back_inserter(out), "{}\n", format_line(line));
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  std::string format_line(const Line& line) const {
    switch (format_) {
      case LogFormat::kJson:
        return json(line);
      case LogFormat::kLogfmt:
        return fmt::format("time={} level={} msg={}{}", line.time, line.level, word(line.message),
                           words(line));
      case LogFormat::kText:
        break;
    }
    return fmt::format("{} {} {}{}", line.time, line.level, readable(line.message), words(line));
  }

  const LogFormat format_;
};

}  // namespace

Result<LogFormat> parse_log_format(const std::string& name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  if (name == "logfmt") return LogFormat::kLogfmt;
  return invalid_argument("log format '" + name + "': must be text, json or logfmt");
}

std::unique_ptr<spdlog::formatter> make_line_formatter(LogFormat format) {
  return std::make_unique<LineFormatter>(format);
}

}  // namespace tern
