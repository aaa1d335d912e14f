// Reads what ternd logs of requests that ended: base/log_format.h writes these lines.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/decimal.h"
#include "base/whole_file.h"
#include "bench/simulate/load_source.h"
#include "bench/support/lines.h"
#include "bench/support/utc_time.h"

namespace tern::bench {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kTextMark = " info request ";
constexpr std::string_view kLogfmtMark = " level=info msg=request ";

// The word that begins `text`, which is cut off: a quoted one ends with its quote. None of the
// values that are read here holds an escape, so a quoted one only has to be passed over.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  size_t end = 0;
  for (bool in_quotes = false; end < text.size() && (in_quotes || text[end] != ' '); ++end) {
    if (text[end] == '"') in_quotes = !in_quotes;
    if (in_quotes && text[end] == '\\') ++end;
  }
  end = std::min(end, text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

Fields read_words(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    const std::string_view word = take_word(text);
    const size_t equals = word.find('=');
    if (equals != word.npos) fields.emplace(word.substr(0, equals), word.substr(equals + 1));
  }
  return fields;
}

// What a log collector puts in front of a line is passed over: the time is the last word before
// the mark.
std::string_view last_word(std::string_view text) {
  return text.substr(text.find_last_of(' ') + 1);
}

std::optional<Fields> read_json(std::string_view line) {
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object() || object.value("msg", nlohmann::json()) != "request") return {};
  Fields fields;
  for (const auto& [key, value] : object.items())
    fields.emplace(key, value.is_string() ? value.get<std::string>() : value.dump());
  return fields;
}

// The values of a line that tells of an ended request; nothing of any other line.
std::optional<Fields> read_fields(std::string_view line) {
  if (const size_t brace = line.find('{'); brace != line.npos)
    if (auto fields = read_json(line.substr(brace))) return fields;
  for (const std::string_view mark : {kTextMark, kLogfmtMark}) {
    const size_t at = line.find(mark);
    if (at == line.npos) continue;
    std::string_view time = last_word(line.substr(0, at));
    if (mark == kLogfmtMark) {
      if (!time.starts_with("time=")) continue;
      time.remove_prefix(5);
    }
    if (!parse_utc(time)) continue;
    Fields fields = read_words(line.substr(at + mark.size()));
    fields.insert_or_assign("time", std::string(time));
    return fields;
  }
  return {};
}

template <class Number>
Result<Number> number_of(const Fields& fields, std::string_view key, Number most) {
  const auto found = fields.find(key);
  const auto value =
      found == fields.end() ? std::optional<Number>() : parse_decimal<Number>(found->second);
  if (!value || *value < 0 || *value > most)
    return invalid_argument("a request's line needs " + std::string(key) +
                            ", a number from 0 on, " +
                            (found == fields.end() ? "has none" : "has '" + found->second + "'"));
  return *value;
}

Result<SourceRow> to_row(const Fields& fields) {
  constexpr int32_t kMostTokens = 100'000'000;
  SourceRow row;
  const auto time = fields.find("time");
  const auto end_s = time == fields.end() ? std::nullopt : parse_utc(time->second);
  if (!end_s) return invalid_argument("a request's line needs its time, in UTC");
  TERN_ASSIGN(const double e2e_ms, number_of<double>(fields, "e2e_ms", 1e12));
  TERN_ASSIGN(const double queue_ms, number_of<double>(fields, "queue_ms", 1e12));
  TERN_ASSIGN(const double ttft_ms, number_of<double>(fields, "ttft_ms", 1e12));
  row.logged_queue_s = queue_ms / 1e3;
  row.logged_ttft_s = ttft_ms / 1e3;
  row.logged_e2el_s = e2e_ms / 1e3;
  row.at_s = *end_s - row.logged_e2el_s;
  TERN_ASSIGN(const int32_t prompt, number_of<int32_t>(fields, "prompt_tokens", kMostTokens));
  TERN_ASSIGN(row.output_tokens, number_of<int32_t>(fields, "completion_tokens", kMostTokens));
  row.input_tokens = std::max(prompt, 1);
  const auto named = fields.find("class");
  for (const auto priority : {PriorityClass::kSystem, PriorityClass::kInteractive,
                              PriorityClass::kDefault, PriorityClass::kBulk})
    if (named != fields.end() && named->second == priority_class_name(priority))
      row.priority = priority;
  if (const auto tenant = fields.find("tenant"); tenant != fields.end())
    row.tenant = tenant->second;
  return row;
}

}  // namespace

Result<LoadSource> parse_request_log(std::string_view text, const std::string& source) {
  // A copy of a live log may end in the middle of a line, even of a number.
  text = text.substr(0, text.find_last_of('\n') + 1);
  LoadSource out{.name = source, .has_times = true, .has_latencies = true};
  TERN_TRY(for_each_line(text, source, [&](std::string_view line) -> Status {
    const std::optional<Fields> fields = read_fields(line);
    if (!fields) return {};
    TERN_ASSIGN(SourceRow row, to_row(*fields));
    if (row.output_tokens == 0)
      ++out.num_skipped;
    else
      out.rows.push_back(std::move(row));
    return {};
  }));
  if (out.rows.empty())
    return invalid_argument(source +
                            ": holds no line of a request that ended, as ternd logs them at "
                            "log.level info");
  std::ranges::stable_sort(out.rows, {}, &SourceRow::at_s);
  const double start = out.rows.front().at_s;
  for (SourceRow& row : out.rows) row.at_s -= start;
  return out;
}

Result<LoadSource> read_log_source(const std::string& path) {
  TERN_ASSIGN(const std::string text, read_whole_file(path));
  return parse_request_log(text, path);
}

}  // namespace tern::bench
