#include "bench/simulate/step_cost_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/whole_file.h"

namespace tern::bench {
namespace {

constexpr size_t kParts = 3;
using Parts = std::array<double, kParts>;  // base, a token, a sequence; seconds

Parts regressors(const MeasuredStep& step) {
  return {1, step.num_tokens, step.num_sequences};
}

double predict(const Parts& parts, const MeasuredStep& step) {
  const Parts x = regressors(step);
  return parts[0] * x[0] + parts[1] * x[1] + parts[2] * x[2];
}

double squared_errors(const Parts& parts, const std::vector<MeasuredStep>& steps) {
  double sum = 0;
  for (const MeasuredStep& step : steps) {
    const double error = predict(parts, step) / step.seconds - 1;
    sum += error * error;
  }
  return sum;
}

// The least squares over the parts in `used` alone, by the normal equations and Gauss' elimination
// with pivots; nothing where they do not determine it.
std::optional<Parts> solve(const std::vector<MeasuredStep>& steps,
                           const std::vector<size_t>& used) {
  const size_t n = used.size();
  double a[kParts][kParts + 1] = {};
  for (const MeasuredStep& step : steps) {
    const Parts x = regressors(step);
    for (size_t i = 0; i < n; ++i) {
      const double xi = x[used[i]] / step.seconds;
      for (size_t j = 0; j < n; ++j) a[i][j] += xi * x[used[j]] / step.seconds;
      a[i][n] += xi;
    }
  }
  double scale[kParts];
  for (size_t i = 0; i < n; ++i) scale[i] = a[i][i];
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t i = column; i < n; ++i)
      if (std::abs(a[i][column]) > std::abs(a[pivot][column])) pivot = i;
    std::swap(a[pivot], a[column]);
    if (std::abs(a[column][column]) < 1e-9 * scale[column]) return {};
    for (size_t i = 0; i < n; ++i) {
      if (i == column) continue;
      const double factor = a[i][column] / a[column][column];
      for (size_t j = column; j <= n; ++j) a[i][j] -= factor * a[column][j];
    }
  }
  Parts out{};
  for (size_t i = 0; i < n; ++i) {
    out[used[i]] = a[i][n] / a[i][i];
    if (!(out[used[i]] >= 0)) return {};
  }
  return out;
}

// With three parts, the best one without negative parts is the best of those where some are 0. The
// later of equal ones has fewer parts, so only a real gain counts.
Parts best_parts(const std::vector<MeasuredStep>& steps, bool lacks_prefill) {
  std::optional<Parts> best;
  double least = 0;
  for (unsigned set = 7; set >= 1; --set) {
    if (lacks_prefill && (set & 2)) continue;
    std::vector<size_t> used;
    for (size_t part = 0; part < kParts; ++part)
      if (set >> part & 1) used.push_back(part);
    const std::optional<Parts> parts = solve(steps, used);
    if (!parts) continue;
    const double errors = squared_errors(*parts, steps);
    if (best && errors >= least) continue;
    best = parts;
    least = errors;
  }
  return *best;  // one part alone can always be fitted
}

std::optional<MeasuredStep> read_step(const nlohmann::json& row) {
  const auto number = [&](const char* key, double fallback) {
    const auto found = row.find(key);
    return found != row.end() && found->is_number() ? found->get<double>() : fallback;
  };
  const bool is_decode = row.value("phase", nlohmann::json()) == "decode";
  const double batch = is_decode ? number("batch", 0) : 0;
  const MeasuredStep step{number("step_tokens", batch), number("step_sequences", batch),
                          number("p50_ms", 0) / 1e3};
  if (!(step.num_tokens > 0) || !(step.num_sequences > 0) || !(step.seconds > 0)) return {};
  return step;
}

}  // namespace

Result<StepCostFit> fit_step_cost(const std::vector<MeasuredStep>& steps) {
  if (steps.empty()) return invalid_argument("holds no measured steps");
  StepCostFit out{.num_steps = steps.size(),
                  .lacks_prefill = std::ranges::all_of(steps, [](const MeasuredStep& step) {
                    return step.num_tokens == step.num_sequences;
                  })};
  const Parts parts = best_parts(steps, out.lacks_prefill);
  out.cost = {Seconds(parts[0]), Seconds(parts[1]), Seconds(parts[2])};
  out.rms_error = std::sqrt(squared_errors(parts, steps) / double(steps.size()));
  for (const MeasuredStep& step : steps)
    out.max_error = std::max(out.max_error, std::abs(predict(parts, step) / step.seconds - 1));
  return out;
}

Result<StepCostFit> parse_step_cost(std::string_view text, const std::string& source) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("rows") || !document["rows"].is_array())
    return invalid_argument(source + ": is not what tern bench step --json prints");
  std::vector<MeasuredStep> steps;
  for (const nlohmann::json& row : document["rows"]) {
    if (!row.is_object()) continue;
    if (const auto step = read_step(row)) steps.push_back(*step);
  }
  Result<StepCostFit> fit = fit_step_cost(steps);
  if (!fit.ok()) return fit.status().with_context(source);
  return fit;
}

Result<StepCostFit> read_step_cost(const std::string& path) {
  TERN_ASSIGN(const std::string text, read_whole_file(path));
  return parse_step_cost(text, path);
}

}  // namespace tern::bench
