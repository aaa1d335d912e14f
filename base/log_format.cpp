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

// C0 and DEL, and the C1 controls, which terminals obey too: U+0080 to U+009F, 0xC2 in UTF-8.
bool is_control(std::string_view text, size_t i) {
  const auto c = static_cast<unsigned char>(text[i]);
  if (c < ' ' || c == 0x7F) return true;
  return c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
}

// As in a JSON string, without the quotes: any bytes to printable UTF-8.
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
    } else if (is_control(text, i)) {
      if (static_cast<unsigned char>(c) == 0xC2) ++i;
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[i]));
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
    const size_t size = text[i] == '\xC2' ? 2 : 1;
    if (text[i] == '\n') {
      out += i + 1 < text.size() ? "\n    " : "";
    } else if (is_control(text, i)) {
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
