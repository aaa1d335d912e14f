// What a server tells of itself, whatever serves it: metrics and the status page.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "server/metrics/request_metrics.h"
#include "server/metrics/status_history.h"

namespace tern::metrics {

struct MetricsOptions {
  std::string compat = "none";  ///< "vllm": those names too
};

/// Any thread.
class Observability {
 public:
  /// Hears of every request's end from here on. `state` must outlive this, and this the calls.
  Observability(const MetricsOptions& options, ServingState& state);
  ~Observability();

  /// One page or document. `text` never waits for the engine's step; any thread.
  struct Route {
    std::string path, content_type;
    std::function<std::string()> text;
  };

  /// "/metrics", "/status.json", "/status/history.json", the status page at "/" and what it is made
  /// of. They must not be called after this is gone.
  std::vector<Route> routes() const;

  const RequestMetrics& requests() const { return requests_; }

 private:
  std::string metrics() const;

  const MetricsOptions options_;
  ServingState& state_;
  RequestMetrics requests_;
  StatusHistory history_;
};

/// The HTML page. It fetches "status.css", "status.js", "status.json" and "status/history.json",
/// and nothing from elsewhere.
std::string_view status_page();
std::string_view status_page_style();
std::string_view status_page_script();

}  // namespace tern::metrics
