#include "server/metrics/snapshot.h"

#include <algorithm>
#include <chrono>

#include "base/memory_info.h"

namespace tern::metrics {
namespace {

Seconds oldest_queued(const Engine& engine) {
  Seconds oldest{0};
  for (const RequestState& request : engine.live_requests())
    if (request.is_queued) oldest = std::max(oldest, request.age);
  return oldest;
}

std::string state_name(const ServingState& state) {
  switch (state.phase()) {
    case v1::SERVER_STATE_SERVING:
      return state.stuck() ? "stuck" : "serving";
    case v1::SERVER_STATE_DRAINING:
      return "draining";
    default:
      return "loading";
  }
}

}  // namespace

Snapshot take_snapshot(const RequestMetrics& requests, const ServingState& state) {
  Snapshot out;
  out.requests = requests.totals();
  out.state = state_name(state);
  out.ready = out.state == "serving";
  out.rss_bytes = read_memory_info().resident_bytes;
  out.num_coalesced = state.streams.num_coalesced;
  out.num_pauses = state.streams.num_pauses;
  state.describe(&out.server);
  const Seconds now = std::chrono::system_clock::now().time_since_epoch();
  out.process_start = now.count() - out.server.uptime_seconds();
  if (const Engine* engine = state.engine())
    out.loaded = {&engine->model_info(), engine->stats(), oldest_queued(*engine)};
  return out;
}

double kv_usage(const SchedulerStats& scheduler) {
  return scheduler.num_blocks > 0 ? double(scheduler.num_used_blocks) / scheduler.num_blocks : 0;
}

int32_t num_admitted(const EngineStats& stats) {
  return stats.num_live_requests - stats.num_queued_requests;
}

}  // namespace tern::metrics
