// What the status page shows, as JSON.
#pragma once

#include <string>
#include <vector>

#include "server/metrics/request_metrics.h"
#include "server/metrics/snapshot.h"
#include "server/metrics/status_history.h"

namespace tern::metrics {

/// An object: state, queue, batch, KV cache, latencies of the last minute, live requests (at most
/// 100), last ends. docs/observability.md has the members. Never waits for a step.
std::string status_json(const RequestMetrics& requests, const ServingState& state);

/// {"interval_seconds", and an array for each member of a sample}: oldest first.
std::string history_json(const std::vector<StatusHistory::Sample>& samples);

}  // namespace tern::metrics
