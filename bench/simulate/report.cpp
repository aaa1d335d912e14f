#include "bench/simulate/report.h"

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

namespace tern::bench {
namespace {

using nlohmann::json;

template <class... Values>
std::string print(const char* format, Values... values) {
  char text[400];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

void add_figures(const Figures& figures, bool is_median, json* to) {
  for (const FigureKey& key : figure_keys()) {
    const double value = figures.*key.value;
    if (key.is_count && !is_median)
      (*to)[std::string(key.name)] = int64_t(value);
    else
      (*to)[std::string(key.name)] = value;
  }
}

json number_or_null(const std::optional<double>& value) {
  return value ? json(*value) : json();
}

json cost_json(const SimulationReport& report) {
  const SimStepCost& cost = report.experiment.simulation.cost;
  json out{{"base_ms", cost.base.count() * 1e3},
           {"per_token_ms", cost.per_token.count() * 1e3},
           {"per_sequence_ms", cost.per_sequence.count() * 1e3}};
  if (!report.fit) return out;
  out["measured_steps"] = report.fit->num_steps;
  out["rms_error"] = report.fit->rms_error;
  out["max_error"] = report.fit->max_error;
  return out;
}

// A log's own figures, where the simulation is of just these requests at just these times.
std::optional<Figures> logged(const Experiment& e) {
  if (!e.source.has_latencies || !e.loads.empty() || e.rate) return {};
  return logged_figures(e.source, e.num_requests, e.figures);
}

// Policies that read scores and were told none: they run as where a daemon has no ranker.
std::vector<std::string> without_scores(const Experiment& e) {
  std::vector<std::string> out;
  for (const SimPolicy& policy : e.policies)
    if (e.expected.empty() && policy.reads_scores()) out.push_back(policy.label);
  return out;
}

std::string section(const char* name, const std::map<std::string, std::string>& values) {
  std::string out;
  for (const auto& [key, value] : values) out += "  " + key + ": " + value + "\n";
  return out.empty() ? out : std::string(name) + ":\n" + out;
}

json head_json(const SimulationReport& report) {
  const Experiment& e = report.experiment;
  const SchedulerConfig& s = e.scheduler;
  json out{{"source", e.source.name},
           {"num_requests", e.num_requests},
           {"mean_output_tokens", e.source.mean_output_tokens()},
           {"capacity", e.capacity},
           {"rate", number_or_null(e.rate)},
           {"seeds", e.seeds},
           {"max_tokens", e.simulation.max_tokens},
           {"step_cost", cost_json(report)},
           {"scheduler",
            {{"max_num_seqs", s.max_num_seqs},
             {"max_num_batched_tokens", s.max_num_batched_tokens},
             {"num_blocks", s.num_blocks},
             {"block_size", s.block_size},
             {"max_model_len", s.max_model_len},
             {"max_preemptions", s.max_preemptions},
             {"enable_prefix_caching", s.enable_prefix_caching}}},
           {"starved_after_s", e.figures.starved_after_s},
           {"num_skipped", e.source.num_skipped},
           {"without_scores", without_scores(e)}};
  if (report.rank) out["rank"] = {{"from", report.rank->from}, {"tau", report.rank->tau}};
  if (const auto own = logged(e)) {
    out["logged"] = json::object();
    add_figures(*own, true, &out["logged"]);
  }
  return out;
}

// The first policy under the same load: what others are compared with.
const ExperimentMedian& baseline_of(const ExperimentResult& result,
                                    const ExperimentMedian& median) {
  for (const ExperimentMedian& other : result.medians)
    if (other.policy == 0 && other.load == median.load) return other;
  return median;
}

double gain(const ExperimentResult& result, const ExperimentMedian& median,
            double Figures::*figure) {
  const double own = median.figures.*figure;
  return own > 0 ? baseline_of(result, median).figures.*figure / own : 0;
}

std::string load_text(const SimulationReport& report, const std::optional<double>& load) {
  const Experiment& e = report.experiment;
  if (load) return print("load %g (%.4g requests/s)", *load, *load * e.capacity);
  if (e.rate) return print("%.4g requests/s", *e.rate);
  return "at the recorded times";
}

std::string setting_text(const SimulationReport& report) {
  const Experiment& e = report.experiment;
  const SimStepCost& cost = e.simulation.cost;
  const int64_t kv_tokens = int64_t{e.scheduler.num_blocks} * e.scheduler.block_size;
  std::string out =
      print("%llu requests of %s, answers of %.1f tokens on average; %zu seed%s\n",
            (unsigned long long)e.num_requests, e.source.name.c_str(),
            e.source.mean_output_tokens(), e.seeds.size(), e.seeds.size() == 1 ? "" : "s");
  out += print(
      "%d slots, KV of %lld tokens, %d tokens a step; a step takes %.4g ms + %.4g ms a token + "
      "%.4g ms a sequence\n",
      e.scheduler.max_num_seqs, (long long)kv_tokens, e.scheduler.max_num_batched_tokens,
      cost.base.count() * 1e3, cost.per_token.count() * 1e3, cost.per_sequence.count() * 1e3);
  if (report.fit)
    out += print(
        "the step cost is fitted to %zu measured kinds of step: off by %.1f %% (rms), at "
        "most %.1f %%\n",
        report.fit->num_steps, report.fit->rms_error * 100, report.fit->max_error * 100);
  if (report.rank)
    out += print("expected lengths (%s) order the true ones with tau-b %.3f\n",
                 report.rank->from.c_str(), report.rank->tau);
  for (const std::string& label : without_scores(e))
    out += label +
           " reads a ranker's scores and is told none: prompts (--lengths) or --rank-noise give "
           "some\n";
  return out;
}

// What failed is in no latency: figures of the rest say little beside those of all.
std::string table_row(const std::string& label, const Figures& f, std::string gains) {
  if (f.failed > 0) gains += print("  %.0f of %.0f FAILED", f.failed, f.failed + f.completed);
  return print(
             "%-26s %10.1f %10.1f %10.2f %10.2f %10.2f %10.2f %10.2f %8.3f %6.0f %6.0f %6.3f %6.3f",
             label.c_str(), f.mean_per_token_ms, f.p99_per_token_ms, f.p50_ttft_ms / 1e3,
             f.p99_ttft_ms / 1e3, f.mean_e2el_ms / 1e3, f.p99_e2el_ms / 1e3, f.max_wait_ms / 1e3,
             f.goodput, f.starved, f.preemptions, f.fairness, f.prefix_hit_rate) +
         gains + "\n";
}

std::string table_head(const char* label, const char* gains) {
  return print("%-26s %10s %10s %10s %10s %10s %10s %10s %8s %6s %6s %6s %6s%s\n", label,
               "ms/token", "p99", "TTFT p50 s", "p99 s", "E2EL s", "p99 s", "max wait s", "goodput",
               "starv.", "preem.", "fair", "hits", gains);
}

}  // namespace

json to_json(const SimulationReport& report, const ExperimentResult& result) {
  json out = head_json(report);
  const auto label = [&](size_t policy) { return report.experiment.policies[policy].label; };
  out["rows"] = out["medians"] = json::array();
  for (const ExperimentRow& row : result.rows) {
    json to{{"policy", label(row.policy)}, {"load", number_or_null(row.load)}, {"seed", row.seed}};
    add_figures(row.figures, false, &to);
    out["rows"].push_back(std::move(to));
  }
  for (const ExperimentMedian& median : result.medians) {
    json to{{"policy", label(median.policy)}, {"load", number_or_null(median.load)}};
    add_figures(median.figures, true, &to);
    to["per_token_gain"] = gain(result, median, &Figures::mean_per_token_ms);
    to["e2el_gain"] = gain(result, median, &Figures::mean_e2el_ms);
    out["medians"].push_back(std::move(to));
  }
  return out;
}

std::string yaml_of(const SimulationReport& report, const TuneResult& result) {
  if (!result.best) return "";
  const SimPolicy& policy = report.experiment.policies.front();
  std::map<std::string, std::string> scheduler, settings;
  if (policy.peer == nullptr) {
    scheduler["policy"] = policy.config.name;
    if (report.rank && report.rank->is_named && policy.reads_scores())
      scheduler["ranker"] = json(report.rank->from).dump();
    for (const auto& [key, value] : policy.config.settings) settings[key] = print("%.12g", value);
  }
  const size_t dot = result.path.find('.');
  (result.path.starts_with("policy.") ? settings : scheduler)[result.path.substr(dot + 1)] =
      print("%.12g", result.curve[*result.best].value);
  return section("scheduler", scheduler) + section("policy", settings);
}

json to_json(const SimulationReport& report, const TuneOptions& options, const TuneResult& result) {
  json out = head_json(report);
  json bounds = json::object(), curve = json::array();
  for (const FigureBound& bound : options.bounds)
    bounds[std::string(bound.figure->name)] = bound.value;
  for (const TunePoint& point : result.curve) {
    json to{{"value", point.value}, {"keeps_bounds", point.keeps_bounds}};
    add_figures(point.figures, true, &to);
    curve.push_back(std::move(to));
  }
  out["tune"] = {{"policy", report.experiment.policies.front().label},
                 {"key", result.path},
                 {"objective", options.objective->name},
                 {"bounds", std::move(bounds)},
                 {"best", result.best ? json(result.curve[*result.best].value) : json()},
                 {"changes_nothing", result.changes_nothing},
                 {"yaml", yaml_of(report, result)},
                 {"curve", std::move(curve)}};
  return out;
}

std::string to_table(const SimulationReport& report, const ExperimentResult& result) {
  std::string out = setting_text(report);
  const std::optional<double>* last = nullptr;
  for (const ExperimentMedian& median : result.medians) {
    if (last == nullptr || *last != median.load) {
      out += "\n" + load_text(report, median.load) + "\n";
      out += table_head("policy", "   x token    x E2EL");
      if (const auto own = logged(report.experiment)) out += table_row("(as logged)", *own, "");
    }
    last = &median.load;
    out += table_row(report.experiment.policies[median.policy].label, median.figures,
                     print(" %9.2f %9.2f", gain(result, median, &Figures::mean_per_token_ms),
                           gain(result, median, &Figures::mean_e2el_ms)));
  }
  return out;
}

std::string to_table(const SimulationReport& report, const TuneOptions& options,
                     const TuneResult& result) {
  const Experiment& e = report.experiment;
  const std::optional<double> load = e.loads.empty() ? std::optional<double>() : e.loads.front();
  std::string out = setting_text(report) + "\n" + e.policies.front().label + ", " +
                    load_text(report, load) + "\n" + table_head(result.path.c_str(), "");
  if (const auto own = logged(e)) out += table_row("(as logged)", *own, "");
  for (size_t i = 0; i < result.curve.size(); ++i) {
    const TunePoint& point = result.curve[i];
    const char* note = result.best == i ? "  <- best" : point.keeps_bounds ? "" : "  out of bounds";
    out += table_row(print("%.6g", point.value), point.figures, note);
  }
  out += "\n";
  const std::string objective(options.objective->name);
  if (result.changes_nothing)
    return out + print("%s changes nothing here: %s is %.6g with every value\n",
                       result.path.c_str(), objective.c_str(),
                       result.curve.front().figures.*options.objective->value);
  if (!result.best) return out + "no value keeps the bounds\n";
  out += print("best %s: %.6g\n", objective.c_str(),
               result.curve[*result.best].figures.*options.objective->value) +
         yaml_of(report, result);
  if (report.rank && !report.rank->is_named && e.policies.front().reads_scores())
    out += print("and scheduler.ranker: one whose tau-b is about %.2f (docs/rankers.md)\n",
                 report.rank->tau);
  return out;
}

}  // namespace tern::bench
