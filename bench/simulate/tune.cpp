#include "bench/simulate/tune.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/decimal.h"
#include "bench/support/slo.h"

namespace tern::bench {
namespace {

constexpr double kRatioOfEqualRatios = 100;
constexpr int32_t kMostSteps = 1000;
// Sums in another order differ by less, and so does nothing that anybody would choose by.
constexpr double kSameWithin = 1e-9;

/// A key of `scheduler` in YAML that holds a whole number.
struct SchedulerKey {
  std::string_view name;
  int32_t SchedulerConfig::*value;
};
constexpr SchedulerKey kSchedulerKeys[] = {
    {"max_num_seqs", &SchedulerConfig::max_num_seqs},
    {"max_num_batched_tokens", &SchedulerConfig::max_num_batched_tokens},
    {"max_preemptions", &SchedulerConfig::max_preemptions},
};

const SchedulerKey* find_scheduler_key(std::string_view name) {
  const auto found = std::ranges::find(kSchedulerKeys, name, &SchedulerKey::name);
  return found == std::end(kSchedulerKeys) ? nullptr : found;
}

std::string figure_names() {
  std::string out;
  for (const FigureKey& key : figure_keys()) out.append(out.empty() ? "" : ", ").append(key.name);
  return out;
}

const FigureKey* find_loosely(const std::string& name) {
  const FigureKey* figure = find_figure(name);
  return figure != nullptr ? figure : find_figure(name + "_ms");
}

Status set_key(const std::string& key, double value, Experiment* experiment) {
  if (const SchedulerKey* own = find_scheduler_key(key)) {
    experiment->scheduler.*(own->value) = int32_t(value);
    return {};
  }
  return set_policy_key(key, value, &experiment->policies.front());
}

bool is_better(const TunePoint& a, const TunePoint& b, const FigureKey& objective) {
  if (a.keeps_bounds != b.keeps_bounds) return a.keeps_bounds;
  const double x = a.figures.*objective.value, y = b.figures.*objective.value;
  return objective.higher_is_better ? x > y : x < y;
}

std::optional<size_t> best_of(const std::vector<TunePoint>& curve, const FigureKey& objective) {
  std::optional<size_t> best;
  for (size_t i = 0; i < curve.size(); ++i)
    if (curve[i].keeps_bounds && (!best || is_better(curve[i], curve[*best], objective))) best = i;
  return best;
}

bool is_flat(const std::vector<TunePoint>& curve, const FigureKey& objective) {
  if (curve.size() < 2) return false;
  const auto by_value = [&](const TunePoint& point) { return point.figures.*objective.value; };
  const auto [least, most] = std::ranges::minmax(curve, {}, by_value);
  const double scale = std::max(std::abs(by_value(least)), std::abs(by_value(most)));
  return by_value(most) - by_value(least) <= kSameWithin * scale &&
         std::ranges::all_of(curve, &TunePoint::keeps_bounds);
}

std::set<double> values_between(double lowest, double highest, int32_t num_steps, bool by_ratio,
                                bool is_whole) {
  std::set<double> out;
  for (int32_t i = 0; i < num_steps; ++i) {
    const double share = num_steps > 1 ? double(i) / (num_steps - 1) : 0;
    double value =
        by_ratio ? lowest * std::pow(highest / lowest, share) : lowest + (highest - lowest) * share;
    // Twelve digits are enough, and keep 0.30000000000000004 out of a configuration.
    value = is_whole ? std::round(value) : std::round(value * 1e12) / 1e12;
    out.insert(std::clamp(value, lowest, highest));
  }
  return out;
}

}  // namespace

bool FigureBound::is_kept(const Figures& figures) const {
  const double is = figures.*figure->value;
  return figure->higher_is_better ? is >= value : is <= value;
}

Result<FigureBound> parse_bound(const std::string& text) {
  const size_t equals = std::min(text.find('='), text.size());
  const std::string name = text.substr(0, equals);
  const std::string value = equals < text.size() ? text.substr(equals + 1) : "";
  FigureBound out{.figure = find_loosely(name)};
  if (out.figure == nullptr)
    return invalid_argument("must be FIGURE=VALUE with one of " + figure_names() + ", is '" + text +
                            "'");
  // Where the name says the unit, a number needs none.
  if (out.figure->name == name) {
    if (const auto number = parse_decimal<double>(value)) {
      out.value = *number;
      return out;
    }
  }
  if (!out.figure->name.ends_with("_ms"))
    return invalid_argument(name + " must be a number, is '" + value + "'");
  const Result<double> seconds = parse_seconds(value);
  if (!seconds.ok()) return seconds.status().with_context(name);
  out.value = *seconds * 1e3;
  return out;
}

Result<const FigureKey*> parse_objective(const std::string& text) {
  const FigureKey* figure = find_loosely(text);
  if (figure == nullptr)
    return invalid_argument("must be one of " + figure_names() + ", is '" + text + "'");
  return figure;
}

Result<TuneRange> parse_tune_range(const std::string& text) {
  const Status wrong = invalid_argument(
      "must be KEY=LOWEST:HIGHEST or KEY=LOWEST:HIGHEST:STEPS, LOWEST below "
      "HIGHEST, STEPS from 2 to 1000; is '" +
      text + "'");
  TuneRange out;
  const size_t equals = text.find('=');
  const size_t first = text.find(':', equals == text.npos ? 0 : equals);
  if (equals == text.npos || equals == 0 || first == text.npos) return wrong;
  const size_t second = std::min(text.find(':', first + 1), text.size());
  out.key = text.substr(0, equals);
  for (const std::string_view section : {"policy.", "scheduler."})
    if (out.key.starts_with(section)) out.key.erase(0, section.size());
  const auto lowest = parse_decimal<double>(text.substr(equals + 1, first - equals - 1));
  const auto highest = parse_decimal<double>(text.substr(first + 1, second - first - 1));
  if (!lowest || !highest || !(*lowest < *highest)) return wrong;
  out.lowest = *lowest;
  out.highest = *highest;
  if (second == text.size()) return out;
  const auto steps = parse_decimal<int32_t>(text.substr(second + 1));
  if (!steps || *steps < 2 || *steps > kMostSteps) return wrong;
  out.num_steps = *steps;
  return out;
}

Result<TuneResult> tune(const Experiment& experiment, const TuneOptions& options,
                        const std::function<void(double)>& progress) {
  if (experiment.policies.size() != 1 || experiment.loads.size() > 1)
    return invalid_argument("a key is tuned for one policy under one load");
  const TuneRange& range = options.range;
  const bool is_of_scheduler = find_scheduler_key(range.key) != nullptr;
  const bool is_whole = is_of_scheduler || is_whole_policy_key(range.key);
  const bool by_ratio = range.lowest > 0 && range.highest >= kRatioOfEqualRatios * range.lowest;
  if (is_of_scheduler &&
      (range.lowest != std::floor(range.lowest) || range.highest != std::floor(range.highest) ||
       range.lowest < 0 || range.highest > std::numeric_limits<int32_t>::max()))
    return invalid_argument(range.key + ": is tuned between whole numbers from 0 to " +
                            std::to_string(std::numeric_limits<int32_t>::max()));
  TuneResult out{.path = (is_of_scheduler ? "scheduler." : "policy.") + range.key};
  const auto run = [&](const std::set<double>& values, double done) -> Status {
    double step = 0.5 / double(std::max<size_t>(values.size(), 1));
    for (const double value : values) {
      if (std::ranges::find(out.curve, value, &TunePoint::value) != out.curve.end()) continue;
      Experiment changed = experiment;
      TERN_TRY(set_key(range.key, value, &changed));
      TERN_ASSIGN(const ExperimentResult result, run_experiment(changed, {}));
      TunePoint point{value, result.medians.front().figures};
      point.keeps_bounds = std::ranges::all_of(
          options.bounds, [&](const FigureBound& bound) { return bound.is_kept(point.figures); });
      out.curve.push_back(point);
      if (progress) progress(done += step);
    }
    std::ranges::sort(out.curve, {}, &TunePoint::value);
    out.best = best_of(out.curve, *options.objective);
    return {};
  };
  TERN_TRY(
      run(values_between(range.lowest, range.highest, range.num_steps, by_ratio, is_whole), 0));
  if (!out.best) return out;
  if (is_flat(out.curve, *options.objective)) {
    out.changes_nothing = true;
    out.best.reset();
    return out;
  }
  const size_t last = out.curve.size() - 1;
  const double below = out.curve[*out.best == 0 ? 0 : *out.best - 1].value;
  const double above = out.curve[std::min(*out.best + 1, last)].value;
  TERN_TRY(run(values_between(below, above, range.num_steps, false, is_whole), 0.5));
  return out;
}

}  // namespace tern::bench
