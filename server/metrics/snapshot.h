// Everything that one scrape tells, taken at once.
#pragma once

#include <optional>
#include <string>

#include "engine/runtime/engine.h"
#include "server/api/serving_state.h"
#include "server/metrics/request_metrics.h"

namespace tern::metrics {

struct Snapshot {
  /// What there is once a model is loaded.
  struct Loaded {
    const ModelInfo* model;
    EngineStats stats;
    Seconds oldest_queued;  ///< age of the request that waits longest; 0 where none waits
  };

  RequestTotals requests;
  v1::ServerInfo server;
  bool ready = false;
  uint64_t rss_bytes = 0;
  double process_start = 0;                    ///< Unix seconds
  uint64_t num_coalesced = 0, num_pauses = 0;  ///< of streams
  std::optional<Loaded> loaded;

  /// As the status page says it: "loading", "serving", "draining", or "stuck" where the engine
  /// stands still.
  std::string state;
};

/// Requests that had ended by then are among those that the engine has accepted: its numbers are
/// read last. Never waits for a step.
Snapshot take_snapshot(const RequestMetrics& requests, const ServingState& state);

/// Share of the KV blocks that running sequences hold, 0 to 1.
double kv_usage(const SchedulerStats& scheduler);

/// Requests that have left the queue and not ended.
int32_t num_admitted(const EngineStats& stats);

}  // namespace tern::metrics
