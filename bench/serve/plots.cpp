#include "bench/serve/plots.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bench/serve/metrics.h"
#include "bench/serve/svg_chart.h"

namespace tern::bench {
namespace {

ChartPanel cdf_panel(const std::string& name, std::vector<double> seconds) {
  std::ranges::sort(seconds);
  ChartSeries series{.name = name, .is_stepped = true};
  if (!seconds.empty()) series.points.emplace_back(seconds.front() * 1e3, 0);
  for (size_t i = 0; i < seconds.size(); ++i)
    series.points.emplace_back(seconds[i] * 1e3, double(i + 1) / double(seconds.size()));
  return {.title = name,
          .x_label = "milliseconds",
          .y_label = "share of requests",
          .series = {std::move(series)},
          .y_max = 1};
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

std::string latency_svg(const std::string& title, const std::vector<RequestRecord>& records) {
  std::vector<double> ttft, tpot, e2el;
  for (const RequestRecord& record : records) {
    if (record.outcome != Outcome::kCompleted) continue;
    if (!record.chunks.empty()) ttft.push_back(record.ttft_s());
    if (record.output_tokens > 1) tpot.push_back(record.tpot_s());
    e2el.push_back(record.e2el_s());
  }
  return render_svg(title, {cdf_panel("Time to first token (TTFT)", std::move(ttft)),
                            cdf_panel("Time per output token (TPOT)", std::move(tpot)),
                            cdf_panel("End-to-end latency (E2EL)", std::move(e2el))});
}

std::string timeline_svg(const std::string& title, const std::vector<RequestRecord>& records,
                         double duration_s) {
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
  ChartSeries in_flight{.is_stepped = true};
  for (const auto& [at, live] : concurrency_steps(records))
    in_flight.points.emplace_back(at, double(live));
  ChartSeries sent_series = by_second(sent, duration_s);
  sent_series.name = "sent";
  ChartSeries completed_series = by_second(completed, duration_s);
  completed_series.name = "completed";
  return render_svg(title, {{.title = "Requests a second",
                             .x_label = "seconds",
                             .y_label = "requests/s",
                             .series = {std::move(sent_series), std::move(completed_series)}},
                            {.title = "Output tokens a second",
                             .x_label = "seconds",
                             .y_label = "tokens/s",
                             .series = {by_second(tokens_by_second(records), duration_s)}},
                            {.title = "Requests in flight",
                             .x_label = "seconds",
                             .y_label = "requests",
                             .series = {std::move(in_flight)}}});
}

Status write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return Status(Code::kUnavailable, "cannot write " + path + ": " + std::strerror(errno));
}

Status write_plots(const std::string& directory, const std::string& title,
                   const std::vector<RequestRecord>& records, double duration_s) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Status(Code::kUnavailable, "cannot make " + directory + ": " + error.message());
  TERN_TRY(write_file(directory + "/latency.svg", latency_svg(title, records)));
  return write_file(directory + "/timeline.svg", timeline_svg(title, records, duration_s));
}

}  // namespace tern::bench
