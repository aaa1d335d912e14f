#include "server/metrics/snapshot.h"

#include <algorithm>

namespace tern::metrics {
namespace {

Seconds oldest_queued(const Engine& engine) {
  Seconds oldest{0};
  for (const RequestState& request : engine.live_requests())
    if (request.is_queued) oldest = std::max(oldest, request.age);
  return oldest;
}

// The kernel counts it from the machine's start, which moves when clocks are set: read once, so
// that a change means a restart.
std::optional<double> process_start() {
  static const std::optional<double> start = read_process_info().start_time;
  return start;
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
  out.host = host_name();
  out.process = read_process_info();
  out.process.start_time = process_start();
  out.memory = read_memory_info();
  out.num_coalesced = state.streams.num_coalesced;
  out.num_pauses = state.streams.num_pauses;
  state.describe(&out.server);
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
