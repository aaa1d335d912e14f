// A run as pictures.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "bench/serve/request.h"

namespace tern::bench {

/// The share of completed requests below a latency: TTFT, TPOT, E2EL.
std::string latency_svg(const std::string& title, const std::vector<RequestRecord>& records);

/// Requests that ended and tokens that came each second, and requests in flight.
std::string timeline_svg(const std::string& title, const std::vector<RequestRecord>& records,
                         double duration_s);

/// Both into `directory`, which is made: latency.svg and timeline.svg.
Status write_plots(const std::string& directory, const std::string& title,
                   const std::vector<RequestRecord>& records, double duration_s);

/// kUnavailable naming the path.
Status write_file(const std::string& path, const std::string& text);

}  // namespace tern::bench
