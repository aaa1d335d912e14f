#include "bench/support/trace.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "base/whole_file.h"
#include "bench/support/lines.h"
#include "bench/support/utc_time.h"

namespace tern::bench {
namespace {

constexpr int64_t kMostTokens = 100'000'000;
constexpr int64_t kMostMs = int64_t{1} << 53;

std::string quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, 60)) + (text.size() > 60 ? "…'" : "'");
}

Result<int32_t> read_tokens(std::string_view text, const char* column) {
  const auto value = parse_decimal<int64_t>(text);
  if (!value || text[0] < '0' || text[0] > '9' || *value > kMostTokens)
    return invalid_argument(std::string(column) + " must be a whole number in [0, " +
                            std::to_string(kMostTokens) + "], is " + quoted(text));
  return int32_t(*value);
}

Status read_azure(std::string_view line, TraceRow* row) {
  const size_t first = line.find(','), second = line.find(',', first + 1);
  if (first == line.npos || second == line.npos || line.find(',', second + 1) != line.npos)
    return invalid_argument("must have 3 columns, is " + quoted(line));
  const auto at_s = parse_utc(line.substr(0, first));
  if (!at_s)
    return invalid_argument("TIMESTAMP must be YYYY-MM-DD HH:MM:SS[.fraction], is " +
                            quoted(line.substr(0, first)));
  row->at_s = *at_s;
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
