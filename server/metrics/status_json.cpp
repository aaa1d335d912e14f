#include "server/metrics/status_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/cpu_info.h"

namespace tern::metrics {
namespace {

using Json = nlohmann::json;

constexpr Seconds kWindow{60};
constexpr size_t kMostRequests = 100;

std::string print(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json to_json(const Percentiles& p) {
  return {{"p50", p.p50}, {"p95", p.p95}, {"p99", p.p99}};
}

Json latency_json(const RecentSummary& summary) {
  return {{"ttft_seconds", to_json(summary.ttft)},
          {"tpot_seconds", to_json(summary.tpot)},
          {"e2e_seconds", to_json(summary.e2e)}};
}

Json last_minute_json(const RecentSummary& summary) {
  return {{"ended", summary.num_requests},
          {"failed", summary.num_failed},
          {"cancelled", summary.num_cancelled},
          {"refused", std::accumulate(summary.refused.begin(), summary.refused.end(), uint64_t{0})},
          {"prompt_tokens", summary.prompt_tokens},
          {"cached_tokens", summary.cached_tokens},
          {"latency", latency_json(summary)}};
}

// Lists the reasons that there were since start, the most frequent first.
Json refusals_json(const RequestTotals& totals, const RecentSummary& summary) {
  std::vector<size_t> reasons;
  for (size_t i = 0; i < kReasons.size(); ++i)
    if (totals.refused[i] > 0) reasons.push_back(i);
  std::stable_sort(reasons.begin(), reasons.end(),
                   [&](size_t a, size_t b) { return totals.refused[a] > totals.refused[b]; });
  Json out = Json::array();
  for (const size_t i : reasons)
    out.push_back({{"reason", kReasons[i]},
                   {"last_minute", summary.refused[i]},
                   {"total", totals.refused[i]}});
  return out;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json process_json(const Snapshot& s) {
  const ProcessInfo& p = s.process;
  return {{"cpu_seconds", p.cpu_seconds},
          {"start_time", or_null(p.start_time)},
          {"resident_bytes", or_null(p.resident_bytes)},
          {"threads", or_null(p.num_threads)},
          {"open_fds", or_null(p.open_fds)},
          {"max_fds", or_null(p.max_fds)},
          {"memory_available_bytes", s.memory.available_bytes()},
          {"memory_limit_bytes", s.memory.limit_bytes()}};
}

Json model_json(const ModelInfo& m) {
  return {{"name", m.name},
          {"architecture", m.architecture},
          {"num_parameters", m.num_parameters},
          {"weight_format", m.weight_format},
          {"weight_bytes", m.weight_bytes},
          {"max_model_len", m.max_model_len},
          {"vocab_size", m.vocab_size},
          {"kv_bytes_per_token", m.kv_bytes_per_token},
          {"chat_template", m.has_chat_template},
          {"compute", m.compute},
          {"isa", m.isa},
          {"threads", m.num_threads}};
}

Json request_json(const RequestState& r) {
  return {{"id", r.request_id},
          {"class", priority_class_name(r.priority)},
          {"queued", r.is_queued},
          {"age_seconds", r.age.count()},
          {"n", r.n},
          {"prompt_tokens", r.prompt_tokens},
          {"computed_tokens", r.computed_tokens},
          {"completion_tokens", r.completion_tokens}};
}

Json end_json(const RecentEnd& end, TimePoint now) {
  const RequestRecord& r = end.record;
  const std::string_view how = r.reason.empty() ? kFinishNames[size_t(finish_of(r))] : r.reason;
  return {{"id", r.request_id},
          {"class", priority_class_name(r.priority)},
          {"transport", transport_name(r.transport)},
          {"outcome", kOutcomeNames[size_t(outcome_of(r.accepted, r.code))]},
          {"code", code_name(r.code)},
          {"reason", how},
          {"prompt_tokens", r.prompt_tokens},
          {"completion_tokens", r.completion_tokens},
          {"ttft_seconds", r.ttft ? Json(r.ttft->count()) : Json()},
          {"e2e_seconds", r.accepted ? Json(r.e2e.count()) : Json()},
          {"ago_seconds", to_seconds(now - end.at)}};
}

void add_loaded(const Snapshot::Loaded& loaded, Json& out) {
  const EngineStats& e = loaded.stats;
  const SchedulerStats& s = e.scheduler;
  out["model"] = model_json(*loaded.model);
  out["queue"] = {{"requests", e.num_queued_requests},
                  {"limit", e.max_queued_requests},
                  {"tokens", e.num_queued_tokens},
                  {"oldest_seconds", loaded.oldest_queued.count()},
                  {"predicted_seconds", e.predicted_queue.count()}};
  out["policy"] = e.policy;
  out["ranker_tau"] = e.ranker.tau ? Json(*e.ranker.tau) : Json();
  out["batch"] = {{"requests", num_admitted(e)},
                  {"sequences", s.num_running},
                  {"waiting_sequences", s.num_waiting},
                  {"limit", s.max_num_seqs}};
  out["kv"] = {{"used", s.num_used_blocks},  {"cached", s.num_cached_blocks},
               {"free", s.num_free_blocks},  {"total", s.num_blocks},
               {"block_size", s.block_size}, {"usage", kv_usage(s)}};
  out["prefix_cache"] = {{"query_tokens", s.prefix_cache_query_tokens},
                         {"hit_tokens", s.prefix_cache_hit_tokens},
                         {"evicted_blocks", s.num_evicted_blocks}};
  out["engine"] = {{"steps", s.num_steps},
                   {"preemptions", s.num_preemptions},
                   {"generated_tokens", e.num_generated_tokens},
                   {"tokens_per_second", e.tokens_per_second},
                   {"last_step_age_seconds", e.last_step_age.count()},
                   {"silent_seconds", e.silent.count()}};
}

void add_live(const Engine& engine, Json& out) {
  const std::vector<RequestState> live = engine.live_requests();
  out["num_live"] = live.size();
  for (size_t i = 0; i < std::min(live.size(), kMostRequests); ++i)
    out["requests"].push_back(request_json(live[i]));
}

}  // namespace

std::string status_json(const RequestMetrics& requests, const ServingState& state) {
  const Snapshot snapshot = take_snapshot(requests, state);
  const RequestTotals& totals = snapshot.requests;
  const RecentSummary summary = requests.summary(kWindow);
  Json out = {{"version", snapshot.server.version()},
              {"state", snapshot.state},
              {"ready", snapshot.ready},
              {"uptime_seconds", snapshot.server.uptime_seconds()},
              {"host", snapshot.host},
              {"cpu", cpu_info().model_name},
              {"listen", snapshot.server.listen()},
              {"process", process_json(snapshot)},
              {"num_ended", totals.num_ended()},
              {"num_failed", totals.num(Outcome::kFailed)},
              {"num_cancelled", totals.num(Outcome::kCancelled)},
              {"num_refused", totals.num(Outcome::kRefused)},
              {"last_minute", last_minute_json(summary)},
              {"refusals", refusals_json(totals, summary)},
              {"requests", Json::array()},
              {"recent", Json::array()}};
  const TimePoint now = std::chrono::steady_clock::now();
  for (const RecentEnd& end : requests.recent_ends()) out["recent"].push_back(end_json(end, now));
  if (!snapshot.loaded) {
    out["load"] = {{"stage", snapshot.server.load_stage()},
                   {"fraction", snapshot.server.load_fraction()}};
    return print(out);
  }
  out["num_accepted"] = snapshot.loaded->stats.num_requests_submitted;
  add_loaded(*snapshot.loaded, out);
  add_live(*state.engine(), out);
  return print(out);
}

std::string history_json(const std::vector<StatusHistory::Sample>& samples) {
  const auto column = [&](auto member) {
    Json values = Json::array();
    for (const StatusHistory::Sample& sample : samples) values.push_back(sample.*member);
    return values;
  };
  using Sample = StatusHistory::Sample;
  return print({{"interval_seconds", StatusHistory::kInterval.count()},
                {"queued", column(&Sample::queued)},
                {"running", column(&Sample::running)},
                {"kv_usage", column(&Sample::kv_usage)},
                {"tokens_per_second", column(&Sample::tokens_per_second)},
                {"ends_per_second", column(&Sample::ends_per_second)},
                {"failed_per_second", column(&Sample::failed_per_second)},
                {"cpus", column(&Sample::cpus)}});
}

}  // namespace tern::metrics
