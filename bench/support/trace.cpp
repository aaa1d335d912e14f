#include "bench/support/trace.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/whole_file.h"
#include "bench/support/lines.h"

namespace tern::bench {
namespace {

constexpr int64_t kMostTokens = 100'000'000;
constexpr int64_t kMostMs = int64_t{1} << 53;

std::string quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, 60)) + (text.size() > 60 ? "…'" : "'");
}

// Exactly `text.size()` digits.
bool read_digits(std::string_view text, int64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && text[0] != '-';
}

// Days since 1970-01-01 of the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible
// low-level date algorithms").
int64_t days_from_civil(int64_t y, int64_t m, int64_t d) {
  y -= m <= 2;
  const int64_t era = y / 400, yoe = y - era * 400;
  const int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

// "2023-11-16 18:15:46.6805900" in seconds.
Result<double> read_timestamp(std::string_view text) {
  const Status wrong =
      invalid_argument("TIMESTAMP must be YYYY-MM-DD HH:MM:SS[.fraction], is " + quoted(text));
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' ||
      text[16] != ':')
    return wrong;
  int64_t part[6];
  constexpr size_t kAt[6] = {0, 5, 8, 11, 14, 17};
  constexpr int64_t kMost[6] = {9999, 12, 31, 23, 59, 60};
  for (int i = 0; i < 6; ++i)
    if (!read_digits(text.substr(kAt[i], i == 0 ? 4 : 2), &part[i]) || part[i] > kMost[i])
      return wrong;
  if (part[1] < 1 || part[2] < 1) return wrong;
  double fraction = 0;
  if (text.size() > 19) {
    int64_t digits = 0;
    if (text[19] != '.' || text.size() == 20 || text.size() > 36 ||
        !read_digits(text.substr(20), &digits))
      return wrong;
    fraction = double(digits);
    for (size_t i = 20; i < text.size(); ++i) fraction /= 10;
  }
  return double(days_from_civil(part[0], part[1], part[2]) * 86400 + part[3] * 3600 + part[4] * 60 +
                part[5]) +
         fraction;
}

Result<int32_t> read_tokens(std::string_view text, const char* column) {
  int64_t value = 0;
  if (text.empty() || !read_digits(text, &value) || value > kMostTokens)
    return invalid_argument(std::string(column) + " must be a whole number in [0, " +
                            std::to_string(kMostTokens) + "], is " + quoted(text));
  return int32_t(value);
}

Status read_azure(std::string_view line, TraceRow* row) {
  const size_t first = line.find(','), second = line.find(',', first + 1);
  if (first == line.npos || second == line.npos || line.find(',', second + 1) != line.npos)
    return invalid_argument("must have 3 columns, is " + quoted(line));
  TERN_ASSIGN(row->at_s, read_timestamp(line.substr(0, first)));
  TERN_ASSIGN(row->input_tokens,
              read_tokens(line.substr(first + 1, second - first - 1), "ContextTokens"));
  TERN_ASSIGN(row->output_tokens, read_tokens(line.substr(second + 1), "GeneratedTokens"));
  return {};
}

Status read_mooncake(std::string_view line, TraceRow* row) {
  TERN_ASSIGN(const nlohmann::json object, parse_object(line));
  TERN_ASSIGN(const int64_t ms, whole_number(object, "timestamp", 0, kMostMs));
  TERN_ASSIGN(const int64_t input, whole_number(object, "input_length", 0, kMostTokens));
  TERN_ASSIGN(const int64_t output, whole_number(object, "output_length", 0, kMostTokens));
  *row = {double(ms) / 1e3, int32_t(input), int32_t(output), {}};
  const auto ids = object.find("hash_ids");
  if (ids == object.end()) return {};
  if (!ids->is_array()) return invalid_argument("hash_ids must be a list");
  for (const nlohmann::json& id : *ids) {
    if (!id.is_number_unsigned()) return invalid_argument("hash_ids must hold whole numbers");
    row->blocks.push_back(id.get<uint64_t>());
  }
  return {};
}

}  // namespace

Result<std::vector<TraceRow>> parse_trace(std::string_view text, const std::string& source) {
  std::vector<TraceRow> rows;
  bool is_first = true, is_azure = false;
  TERN_TRY(for_each_line(text, source, [&](std::string_view line) -> Status {
    if (std::exchange(is_first, false)) {
      is_azure = line == "TIMESTAMP,ContextTokens,GeneratedTokens";
      if (is_azure) return {};
      if (!line.starts_with('{'))
        return invalid_argument(
            "is no trace that is known: neither the header "
            "TIMESTAMP,ContextTokens,GeneratedTokens nor a JSON object with timestamp, "
            "input_length and output_length");
    }
    TraceRow row;
    TERN_TRY(is_azure ? read_azure(line, &row) : read_mooncake(line, &row));
    row.input_tokens = std::max(row.input_tokens, 1);
    row.output_tokens = std::max(row.output_tokens, 1);
    rows.push_back(std::move(row));
    return {};
  }));
  if (rows.empty()) return invalid_argument(source + ": holds no requests");
  std::ranges::stable_sort(rows, {}, &TraceRow::at_s);
  const double start = rows.front().at_s;
  for (TraceRow& row : rows) row.at_s -= start;
  return rows;
}

Result<std::vector<TraceRow>> read_trace(const std::string& path) {
  TERN_ASSIGN(const std::string text, read_whole_file(path));
  return parse_trace(text, path);
}

}  // namespace tern::bench
