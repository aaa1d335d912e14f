#include "bench/serve/plots.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "bench/serve/metrics.h"
#include "bench/support/output_file.h"
#include "bench/support/svg_chart.h"

namespace tern::bench {
namespace {

constexpr const char *kLatencyFile = "/latency.svg", *kTimelineFile = "/timeline.svg";
// Latencies from here on are read in seconds.
constexpr double kInSeconds = 10;
constexpr double kPercents[] = {50, 90, 99};

std::string time_text(double seconds) {
  const double value = seconds < 1 ? seconds * 1e3 : seconds;
  char text[64];
  std::snprintf(text, sizeof text, "%.*f %s",
                value < 10    ? 2
                : value < 100 ? 1
                              : 0,
                value, seconds < 1 ? "ms" : "s");
  return text;
}

std::optional<ChartLimit> limit_of(std::optional<double> limit_s, double per_second,
                                   const std::vector<double>& sorted) {
  if (!limit_s) return {};
  std::string label = "SLO " + time_text(*limit_s);
  if (!sorted.empty()) {
    const auto kept = std::ranges::upper_bound(sorted, *limit_s) - sorted.begin();
    char share[64];
    std::snprintf(share, sizeof share, ", kept by %.1f %%",
                  100 * double(kept) / double(sorted.size()));
    label += share;
  }
  return ChartLimit{*limit_s * per_second, std::move(label)};
}

ChartPanel cdf_panel(const std::string& name, std::vector<double> seconds,
                     std::optional<double> limit_s) {
  std::ranges::sort(seconds);
  const bool in_seconds = !seconds.empty() && seconds.back() >= kInSeconds;
  const double per_second = in_seconds ? 1 : 1e3;  // of the axis
  ChartSeries series{.name = name, .is_stepped = true};
  if (!seconds.empty()) series.points.emplace_back(seconds.front() * per_second, 0);
  for (size_t i = 0; i < seconds.size(); ++i)
    series.points.emplace_back(seconds[i] * per_second, double(i + 1) / double(seconds.size()));
  ChartPanel panel{.title = name,
                   .x_label = in_seconds ? "seconds" : "milliseconds",
                   .y_label = "share of requests",
                   .series = {std::move(series)},
                   .y_max = 1,
                   .limit = limit_of(limit_s, per_second, seconds)};
  for (const double percent : kPercents) {
    if (seconds.empty()) break;
    const double value = percentile(seconds, percent);
    char label[16];
    std::snprintf(label, sizeof label, "p%.0f ", percent);
    panel.marks.push_back({value * per_second, percent / 100, label + time_text(value)});
  }
  return panel;
}

// Counts of whole seconds; those after the last count, up to the run's end, are 0.
ChartSeries by_second(std::vector<uint64_t> counts, double duration_s) {
  counts.resize(std::max(counts.size(), size_t(std::ceil(duration_s))));
  ChartSeries series{.is_stepped = true};
  for (size_t i = 0; i < counts.size(); ++i)
    series.points.emplace_back(double(i), double(counts[i]));
  // The last value holds until its second, or the run, ends.
  if (!counts.empty())
    series.points.emplace_back(std::max(duration_s, double(counts.size() - 1)),
                               double(counts.back()));
  return series;
}

}  // namespace

std::string latency_svg(const PlotInfo& info, const std::vector<RequestRecord>& records) {
  std::vector<double> ttft, tpot, e2el;
  for (const RequestRecord& record : records) {
    if (record.outcome != Outcome::kCompleted) continue;
    if (!record.chunks.empty()) ttft.push_back(record.ttft_s());
    if (record.output_tokens > 1) tpot.push_back(record.tpot_s());
    e2el.push_back(record.e2el_s());
  }
  return render_svg(info.heading,
                    {cdf_panel("Time to first token (TTFT)", std::move(ttft), info.slo.ttft_s),
                     cdf_panel("Time per output token (TPOT)", std::move(tpot), info.slo.tpot_s),
                     cdf_panel("End-to-end latency (E2EL)", std::move(e2el), info.slo.e2el_s)});
}

std::string timeline_svg(const PlotInfo& info, const std::vector<RequestRecord>& records) {
  std::vector<uint64_t> sent, completed;
  const auto count = [](std::vector<uint64_t>& counts, double at_s) {
    const size_t second = size_t(std::max(at_s, 0.0));
    if (second >= counts.size()) counts.resize(second + 1);
    ++counts[second];
  };
  for (const RequestRecord& record : records) {
    count(sent, record.sent_s);
    if (record.outcome == Outcome::kCompleted) count(completed, record.end_s);
  }
  ChartSeries in_flight{.points = {{0, 0}}, .is_stepped = true};
  for (const auto& [at, live] : concurrency_steps(records))
    in_flight.points.emplace_back(at, double(live));
  ChartSeries sent_series = by_second(sent, info.duration_s);
  sent_series.name = "sent";
  ChartSeries completed_series = by_second(completed, info.duration_s);
  completed_series.name = "completed";
  const auto panel = [](const char* title, const char* y_label, std::vector<ChartSeries> series) {
    return ChartPanel{.title = title,
                      .x_label = "seconds since the start",
                      .y_label = y_label,
                      .series = std::move(series),
                      .counts_y = true};
  };
  return render_svg(info.heading,
                    {panel("Requests a second", "requests/s",
                           {std::move(sent_series), std::move(completed_series)}),
                     panel("Output tokens a second", "tokens/s",
                           {by_second(tokens_by_second(records), info.duration_s)}),
                     panel("Requests in flight", "requests", {std::move(in_flight)})});
}

Status prepare_plots(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Status(Code::kUnavailable, "cannot make " + directory + ": " + error.message());
  TERN_TRY(check_writable(directory + kLatencyFile));
  return check_writable(directory + kTimelineFile);
}

Status write_plots(const std::string& directory, const PlotInfo& info,
                   const std::vector<RequestRecord>& records) {
  TERN_TRY(write_file(directory + kLatencyFile, latency_svg(info, records)));
  return write_file(directory + kTimelineFile, timeline_svg(info, records));
}

}  // namespace tern::bench
