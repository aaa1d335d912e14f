#include "base/log.h"
#include "server/api/admin.h"

namespace tern {
namespace {

constexpr size_t kMostRequests = 256;  // lines

}  // namespace

std::string describe_engine(const Engine& engine) {
  const EngineStats stats = engine.stats();
  const SchedulerStats& s = stats.scheduler;
  std::string out = fmt::format(
      "engine: silent for {:.3f} s, last step ended {:.3f} s ago, step in progress expected to "
      "take {:.3f} s; steps {}, running {}, waiting {} ({} tokens), live requests {}; KV blocks "
      "{} used, {} cached, {} free of {}\n",
      stats.silent.count(), stats.last_step_age.count(), stats.expected_step.count(), s.num_steps,
      s.num_running, s.num_waiting, s.num_waiting_tokens, stats.num_live_requests,
      s.num_used_blocks, s.num_cached_blocks, s.num_free_blocks, s.num_blocks);
  const std::vector<RequestState> live = engine.live_requests();
  for (size_t i = 0; i < std::min(live.size(), kMostRequests); ++i) {
    const RequestState& r = live[i];
    out += fmt::format(
        "request id={} class={} {} age={:.3f}s n={} prompt_tokens={} computed_tokens={} "
        "completion_tokens={}\n",
        r.request_id, priority_class_name(r.priority), r.is_queued ? "queued" : "admitted",
        r.age.count(), r.n, r.prompt_tokens, r.computed_tokens, r.completion_tokens);
  }
  if (live.size() > kMostRequests)
    out += fmt::format("and {} requests more\n", live.size() - kMostRequests);
  return out;
}

}  // namespace tern
