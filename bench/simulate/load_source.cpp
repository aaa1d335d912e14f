#include "bench/simulate/load_source.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/whole_file.h"
#include "bench/support/arrivals.h"
#include "bench/support/lines.h"
#include "bench/support/random.h"
#include "bench/support/trace.h"

namespace tern::bench {
namespace {

constexpr int64_t kMostTokens = 100'000'000;
// The words of English prose are 1.33 tokens each in the vocabularies of most models.
constexpr double kTokensPerWord = 1.33;

int32_t estimate_tokens(std::string_view text) {
  int64_t words = 0;
  bool in_word = false;
  for (const char c : text) {
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    words += !is_space && !in_word;
    in_word = !is_space;
  }
  return int32_t(std::clamp<double>(std::round(double(words) * kTokensPerWord), 1, kMostTokens));
}

Result<PriorityClass> parse_class(const std::string& name) {
  for (const auto priority : {PriorityClass::kSystem, PriorityClass::kInteractive,
                              PriorityClass::kDefault, PriorityClass::kBulk})
    if (name == priority_class_name(priority)) return priority;
  return invalid_argument("class must be system, interactive, default or bulk, is '" + name + "'");
}

Result<std::string> text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::string();
  if (!found->is_string()) return invalid_argument(std::string(key) + " must be text");
  return found->get<std::string>();
}

Result<SourceRow> read_row(std::string_view line) {
  TERN_ASSIGN(const nlohmann::json object, parse_object(line));
  SourceRow row;
  TERN_ASSIGN(row.prompt, text_of(object, "prompt"));
  if (row.prompt.empty()) return invalid_argument("has no 'prompt', or an empty one");
  TERN_ASSIGN(const int64_t length, whole_number(object, "length", 0, kMostTokens));
  row.output_tokens = std::max(int32_t(length), 1);
  row.input_tokens = estimate_tokens(row.prompt);
  if (object.contains("prompt_tokens")) {
    TERN_ASSIGN(const int64_t tokens, whole_number(object, "prompt_tokens", 1, kMostTokens));
    row.input_tokens = int32_t(tokens);
  }
  TERN_ASSIGN(row.tenant, text_of(object, "tenant"));
  TERN_ASSIGN(const std::string priority, text_of(object, "class"));
  if (!priority.empty()) {
    TERN_ASSIGN(row.priority, parse_class(priority));
  }
  return row;
}

}  // namespace

double LoadSource::mean_output_tokens() const {
  double sum = 0;
  for (const SourceRow& row : rows) sum += row.output_tokens;
  return rows.empty() ? 0 : sum / double(rows.size());
}

int32_t LoadSource::max_output_tokens() const {
  int32_t most = 0;
  for (const SourceRow& row : rows) most = std::max(most, row.output_tokens);
  return most;
}

int32_t LoadSource::max_total_tokens() const {
  int32_t most = 0;
  for (const SourceRow& row : rows) most = std::max(most, row.input_tokens + row.output_tokens);
  return most;
}

Result<LoadSource> read_trace_source(const std::string& path) {
  TERN_ASSIGN(std::vector<TraceRow> trace, read_trace(path));
  LoadSource out{.name = path, .has_times = true};
  for (TraceRow& row : trace) {
    out.has_blocks |= !row.blocks.empty();
    out.rows.push_back({.at_s = row.at_s,
                        .input_tokens = row.input_tokens,
                        .output_tokens = row.output_tokens,
                        .blocks = std::move(row.blocks)});
  }
  return out;
}

Result<LoadSource> parse_lengths(std::string_view text, const std::string& source) {
  LoadSource out{.name = source, .has_prompts = true};
  TERN_TRY(for_each_line(text, source, [&](std::string_view line) -> Status {
    TERN_ASSIGN(SourceRow row, read_row(line));
    out.rows.push_back(std::move(row));
    return {};
  }));
  if (out.rows.empty()) return invalid_argument(source + ": holds no requests");
  return out;
}

Result<LoadSource> read_lengths_source(const std::string& path) {
  TERN_ASSIGN(const std::string text, read_whole_file(path));
  return parse_lengths(text, path);
}

LoadSource make_synthetic_source(const SyntheticLengths& lengths, uint64_t count) {
  LoadSource out{.name = "random"};
  for (uint64_t i = 0; i < count; ++i)
    out.rows.push_back(
        {.input_tokens = draw_length(lengths.input_len, lengths.range_ratio, 0, 2 * i),
         .output_tokens = draw_length(lengths.output_len, lengths.range_ratio, 0, 2 * i + 1)});
  return out;
}

std::vector<SimArrival> make_arrivals(const LoadSource& source, const ArrivalPlan& plan) {
  std::vector<SimArrival> out;
  const auto num_rows = uint64_t(source.rows.size());
  if (source.has_times) {
    const uint64_t count = std::min(plan.num_requests, num_rows);
    const double span = count > 0 ? source.rows[count - 1].at_s : 0;
    const double stretch = plan.rate && span > 0 ? double(count) / *plan.rate / span : 1;
    for (uint64_t i = 0; i < count; ++i) out.push_back({source.rows[i].at_s * stretch, int32_t(i)});
    return out;
  }
  const std::vector<double> at =
      draw_arrivals(plan.num_requests, plan.rate.value_or(1), plan.burstiness, plan.seed);
  for (uint64_t i = 0; i < plan.num_requests; ++i) {
    const double share = uniform(plan.seed, Draw::kRow, i);
    out.push_back({at[i], int32_t(std::min(uint64_t(share * double(num_rows)), num_rows - 1))});
  }
  return out;
}

}  // namespace tern::bench
