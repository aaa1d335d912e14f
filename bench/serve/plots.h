// A run as pictures.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "bench/serve/request.h"
#include "bench/support/slo.h"

namespace tern::bench {

/// What plots show beside the records.
struct PlotInfo {
  std::vector<std::string> heading;  ///< lines: heading() of report.h
  ServiceLevel slo;
  double duration_s = 0;
};

/// The share of completed requests below a latency (TTFT, TPOT, E2EL), with its p50, p90 and p99,
/// and the limit that it was to keep.
std::string latency_svg(const PlotInfo& info, const std::vector<RequestRecord>& records);

/// Requests that ended and tokens that came each second, and requests in flight.
std::string timeline_svg(const PlotInfo& info, const std::vector<RequestRecord>& records);

/// Makes `directory`, and tells whether write_plots() can write there. kUnavailable naming the
/// path.
Status prepare_plots(const std::string& directory);

/// latency.svg and timeline.svg into `directory`.
Status write_plots(const std::string& directory, const PlotInfo& info,
                   const std::vector<RequestRecord>& records);

}  // namespace tern::bench
