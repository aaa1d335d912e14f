#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "bench/simulate/report.h"
#include "bench/support/output_file.h"
#include "bench/support/svg_chart.h"

namespace tern::bench {
namespace {

constexpr size_t kPointsOfALine = 400;

struct Latency {
  const char* title;
  const char* x_label;
  double (*value)(const SimRecord& record, int32_t output_tokens);
};
constexpr Latency kLatencies[] = {
    {"Latency per token (E2EL / tokens)", "milliseconds (logarithmic)",
     [](const SimRecord& r, int32_t tokens) { return r.e2el_s() * 1e3 / tokens; }},
    {"Time to first token (TTFT)", "seconds (logarithmic)",
     [](const SimRecord& r, int32_t) { return r.ttft_s(); }},
    {"End-to-end latency (E2EL)", "seconds (logarithmic)",
     [](const SimRecord& r, int32_t) { return r.e2el_s(); }},
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

// The share of values below each, thinned to what a picture shows.
ChartSeries share_below(std::string name, std::vector<double> values) {
  ChartSeries series{.name = std::move(name)};
  std::ranges::sort(values);
  const size_t stride = std::max<size_t>(1, values.size() / kPointsOfALine);
  for (size_t i = 0; i < values.size(); i += stride)
    series.points.emplace_back(values[i], double(i + 1) / double(values.size()));
  if (!values.empty()) series.points.emplace_back(values.back(), 1);
  return series;
}

ChartPanel latency_panel(const Latency& latency, const Experiment& experiment,
                         const std::vector<const ExperimentRow*>& rows) {
  ChartPanel panel{.title = latency.title,
                   .x_label = latency.x_label,
                   .y_label = "share of requests",
                   .y_max = 1,
                   .log_x = true};
  for (const ExperimentRow* row : rows) {
    std::vector<double> values;
    for (const SimRecord& record : row->records)
      if (record.completed)
        values.push_back(
            latency.value(record, experiment.source.rows[size_t(record.row)].output_tokens));
    panel.series.push_back(share_below(experiment.policies[row->policy].label, std::move(values)));
  }
  return panel;
}

std::string median_text(const Experiment& e) {
  return e.seeds.size() == 1 ? "seed " + std::to_string(e.seeds.front())
                             : "medians of " + std::to_string(e.seeds.size()) + " seeds";
}

// A figure as a picture shows it: times in seconds.
struct Shown {
  std::string name, label;
  double scale = 1;
};
Shown shown(const FigureKey& figure) {
  constexpr std::string_view kMs = "_ms";
  if (!figure.name.ends_with(kMs)) return {std::string(figure.name), std::string(figure.name)};
  return {std::string(figure.name.substr(0, figure.name.size() - kMs.size())), "seconds", 1e-3};
}

// The value that a figure must keep, across all values of the key.
ChartSeries bound_line(const FigureBound& bound, const TuneResult& result, double scale) {
  const double value = bound.value * scale;
  return {.name = "bound " + number(value),
          .points = {{result.curve.front().value, value}, {result.curve.back().value, value}}};
}

std::vector<std::string> heading_of(const Experiment& e, const std::string& what,
                                    const std::string& seeds) {
  return {"Simulated: " + what,
          std::to_string(e.num_requests) + " requests of " + e.source.name + ", " +
              std::to_string(e.scheduler.max_num_seqs) + " slots, KV of " +
              std::to_string(int64_t{e.scheduler.num_blocks} * e.scheduler.block_size) +
              " tokens, " + seeds};
}

Status make_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Status(Code::kUnavailable, "cannot make " + directory + ": " + error.message());
  return {};
}

ChartPanel median_panel(const char* title, const char* y_label, double Figures::*figure,
                        const Experiment& experiment, const ExperimentResult& result) {
  ChartPanel panel{.title = title,
                   .x_label = "load (share of capacity)",
                   .y_label = y_label,
                   .x_from = std::ranges::min(experiment.loads),
                   .log_y = true};
  for (size_t policy = 0; policy < experiment.policies.size(); ++policy) {
    ChartSeries series{.name = experiment.policies[policy].label};
    for (const ExperimentMedian& median : result.medians)
      if (median.policy == policy)
        series.points.emplace_back(*median.load, median.figures.*figure / 1e3);
    std::ranges::sort(series.points);
    panel.series.push_back(std::move(series));
  }
  return panel;
}

}  // namespace

Status write_plots(const std::string& directory, const SimulationReport& report,
                   const ExperimentResult& result) {
  const Experiment& e = report.experiment;
  TERN_TRY(make_directory(directory));
  std::vector<std::optional<double>> loads(e.loads.begin(), e.loads.end());
  if (loads.empty()) loads.push_back(std::nullopt);
  for (const std::optional<double>& load : loads) {
    std::vector<const ExperimentRow*> rows;
    for (const ExperimentRow& row : result.rows)
      if (row.load == load && row.seed == e.seeds.front()) rows.push_back(&row);
    std::vector<ChartPanel> panels;
    for (const Latency& latency : kLatencies) panels.push_back(latency_panel(latency, e, rows));
    const std::string name = loads.size() > 1 ? "/latency-" + number(*load) : "/latency";
    const std::string what = load ? "load " + number(*load) : "recorded or given times";
    const std::string seed = "seed " + std::to_string(e.seeds.front());
    TERN_TRY(write_file(directory + name + ".svg", render_svg(heading_of(e, what, seed), panels)));
  }
  if (loads.size() < 2) return {};
  const std::vector<ChartPanel> panels = {
      median_panel("Mean latency per token", "seconds (logarithmic)", &Figures::mean_per_token_ms,
                   e, result),
      median_panel("Mean end-to-end latency", "seconds (logarithmic)", &Figures::mean_e2el_ms, e,
                   result),
      median_panel("Longest wait", "seconds (logarithmic)", &Figures::max_wait_ms, e, result)};
  return write_file(directory + "/load.svg",
                    render_svg(heading_of(e, "policies over the load", median_text(e)), panels));
}

Status write_plots(const std::string& directory, const SimulationReport& report,
                   const TuneOptions& options, const TuneResult& result) {
  TERN_TRY(make_directory(directory));
  std::vector<const FigureKey*> figures = {options.objective};
  for (const FigureBound& bound : options.bounds)
    if (std::ranges::find(figures, bound.figure) == figures.end()) figures.push_back(bound.figure);
  std::vector<ChartPanel> panels;
  for (const FigureKey* figure : figures) {
    const Shown as = shown(*figure);
    ChartPanel panel{.title = as.name, .x_label = result.path, .y_label = as.label};
    ChartSeries series{.name = "simulated"};
    for (const TunePoint& point : result.curve)
      series.points.emplace_back(point.value, point.figures.*figure->value * as.scale);
    if (result.best) {
      const TunePoint& best = result.curve[*result.best];
      panel.marks.push_back(
          {best.value, best.figures.*figure->value * as.scale, number(best.value)});
    }
    panel.series = {std::move(series)};
    for (const FigureBound& bound : options.bounds)
      if (bound.figure == figure) panel.series.push_back(bound_line(bound, result, as.scale));
    panels.push_back(std::move(panel));
  }
  const Experiment& e = report.experiment;
  return write_file(
      directory + "/tune.svg",
      render_svg(heading_of(e, e.policies.front().label + ", " + result.path, median_text(e)),
                 panels));
}

}  // namespace tern::bench
