// Everything that one scrape tells, taken at once.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/memory_info.h"
#include "base/process_info.h"
#include "engine/serve/engine.h"
#include "server/api/serving_state.h"
#include "server/metrics/request_metrics.h"

namespace tern::metrics {

/// "stuck": the engine stands still though there is work.
inline constexpr std::array<std::string_view, 4> kStateNames = {"loading", "serving", "draining",
                                                                "stuck"};

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
  std::string host;  ///< its name on its network
  ProcessInfo process;
  MemoryInfo memory;
  uint64_t num_coalesced = 0, num_pauses = 0;  ///< of streams
  std::optional<Loaded> loaded;

  std::string state;  ///< one of kStateNames
};

/// Requests that had ended by then are among those that the engine has accepted: its numbers are
/// read last. Never waits for a step.
Snapshot take_snapshot(const RequestMetrics& requests, const ServingState& state);

/// Share of the KV blocks that running sequences hold, 0 to 1.
double kv_usage(const SchedulerStats& scheduler);

/// Requests that have left the queue and not ended.
int32_t num_admitted(const EngineStats& stats);

}  // namespace tern::metrics
