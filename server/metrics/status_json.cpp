#include "server/metrics/status_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

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
  return {{"window_seconds", kWindow.count()},
          {"num_requests", summary.num_requests},
          {"ttft_seconds", to_json(summary.ttft)},
          {"tpot_seconds", to_json(summary.tpot)},
          {"e2e_seconds", to_json(summary.e2e)}};
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
  out["model"] = {{"name", loaded.model->name},
                  {"architecture", loaded.model->architecture},
                  {"weight_format", loaded.model->weight_format},
                  {"num_parameters", loaded.model->num_parameters},
                  {"max_model_len", loaded.model->max_model_len}};
  out["queue"] = {{"requests", e.num_queued_requests},
                  {"limit", e.max_queued_requests},
                  {"tokens", e.num_queued_tokens},
                  {"oldest_seconds", loaded.oldest_queued.count()},
                  {"predicted_seconds", e.predicted_queue.count()}};
  out["batch"] = {{"requests", num_admitted(e)},
                  {"sequences", s.num_running},
                  {"waiting_sequences", s.num_waiting},
                  {"limit", s.max_num_seqs}};
  out["kv"] = {{"used", s.num_used_blocks},  {"cached", s.num_cached_blocks},
               {"free", s.num_free_blocks},  {"total", s.num_blocks},
               {"block_size", s.block_size}, {"usage", kv_usage(s)}};
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
  Json out = {{"version", snapshot.server.version()},
              {"state", snapshot.state},
              {"ready", snapshot.ready},
              {"uptime_seconds", snapshot.server.uptime_seconds()},
              {"rss_bytes", snapshot.rss_bytes},
              {"num_ended", totals.num_ended()},
              {"num_refused", totals.num_refused()},
              {"latency", latency_json(requests.summary(kWindow))},
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
                {"ends_per_second", column(&Sample::ends_per_second)}});
}

}  // namespace tern::metrics
