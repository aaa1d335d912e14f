#include "bench/serve/report.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace tern::bench {
namespace {

using nlohmann::json;

void add(json* document, const std::string& name, const Distribution& d) {
  const std::pair<const char*, double> values[] = {
      {"mean", d.mean}, {"median", d.median}, {"std", d.std}, {"p50", d.p50},
      {"p90", d.p90},   {"p95", d.p95},       {"p99", d.p99}};
  for (const auto& [prefix, value] : values)
    (*document)[std::string(prefix) + "_" + name + "_ms"] = value * 1e3;
}

const char* outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCompleted:
      return "completed";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kPending:
      break;
  }
  return "pending";
}

std::string error_text(const RequestRecord& record) {
  if (record.code.empty()) return "";
  return record.code + (record.reason.empty() ? "" : " (" + record.reason + ")") + ": " +
         record.message;
}

json slo_json(const ServiceLevel& slo) {
  json out = json::object();
  if (slo.ttft_s) out["ttft_ms"] = *slo.ttft_s * 1e3;
  if (slo.tpot_s) out["tpot_ms"] = *slo.tpot_s * 1e3;
  if (slo.e2el_s) out["e2el_ms"] = *slo.e2el_s * 1e3;
  return out;
}

void add_server_times(const Metrics& m, json* document) {
  if (m.server_e2el.count == 0) return;
  add(document, "server_ttft", m.server_ttft);
  add(document, "server_tpot", m.server_tpot);
  add(document, "server_e2el", m.server_e2el);
  add(document, "ttft_overhead", m.ttft_overhead);
  add(document, "e2el_overhead", m.e2el_overhead);
  (*document)["server_mean_ttft_ms"] = m.server_ttft.mean * 1e3;
  (*document)["server_mean_tpot_ms"] = m.server_tpot.mean * 1e3;
  (*document)["server_mean_e2el_ms"] = m.server_e2el.mean * 1e3;
}

template <class... Values>
std::string line(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return std::string(text) + "\n";
}

std::string latency_line(const char* name, const Distribution& d) {
  if (d.count == 0) return "";
  return line("%-18s %10.2f %10.2f %10.2f %10.2f %10.2f %10.2f %10.2f", name, d.mean * 1e3,
              d.median * 1e3, d.std * 1e3, d.p90 * 1e3, d.p95 * 1e3, d.p99 * 1e3, d.max * 1e3);
}

std::string latency_table(const Metrics& m) {
  return line("%-18s %10s %10s %10s %10s %10s %10s %10s", "milliseconds", "mean", "median", "std",
              "p90", "p95", "p99", "max") +
         latency_line("TTFT", m.ttft) + latency_line("TPOT", m.tpot) + latency_line("ITL", m.itl) +
         latency_line("E2EL", m.e2el) + latency_line("server's TTFT", m.server_ttft) +
         latency_line("server's TPOT", m.server_tpot) +
         latency_line("server's E2EL", m.server_e2el) + latency_line("send delay", m.send_delay);
}

std::string load_text(const RunInfo& info) {
  const std::string cap = std::to_string(info.max_concurrency) + " at a time";
  if (std::isinf(info.request_rate)) return info.max_concurrency > 0 ? cap : "all at once";
  char text[80];
  std::snprintf(text, sizeof text, "%.4g requests/s", info.request_rate);
  std::string out = text;
  if (info.burstiness != 1) {
    std::snprintf(text, sizeof text, ", burstiness %g", info.burstiness);
    out += text;
  }
  return info.max_concurrency > 0 ? out + ", at most " + cap : out;
}

// "20261127-101500" as "2026-11-27 10:15:00".
std::string date_text(const std::string& date) {
  if (date.size() != 15) return date;
  const auto part = [&](size_t at, size_t length) { return date.substr(at, length); };
  return part(0, 4) + "-" + part(4, 2) + "-" + part(6, 2) + " " + part(9, 2) + ":" + part(11, 2) +
         ":" + part(13, 2);
}

}  // namespace

std::vector<std::string> heading(const RunInfo& info) {
  const std::string name = info.policy_label.empty() ? info.model : info.policy_label;
  const std::string requests =
      info.source == "random" ? " random requests" : " requests of " + info.source;
  std::string load = load_text(info) + " · " + std::to_string(info.num_prompts) + requests + " · " +
                     date_text(info.date);
  if (info.interrupted) load += " · interrupted";
  return {name, info.model + " at " + info.endpoint + " (" + info.backend + ")", std::move(load)};
}

json to_json(const RunInfo& info, const Metrics& m) {
  const auto rate = [&](double amount) { return m.per_second(amount); };
  const double goodput = rate(double(m.good));
  json out = {
      {"date", info.date},
      {"backend", info.backend},
      {"endpoint", info.endpoint},
      {"model_id", info.model},
      {"label", info.policy_label},
      {"policy_label", info.policy_label},
      {"dataset", info.source},
      {"num_prompts", info.num_prompts},
      {"request_rate", std::isinf(info.request_rate) ? json("inf") : json(info.request_rate)},
      {"burstiness", info.burstiness},
      {"max_concurrency", info.max_concurrency > 0 ? json(info.max_concurrency) : json()},
      {"seed", info.seed},
      {"interrupted", info.interrupted},
      {"latency_from", info.counts_from_schedule ? "schedule" : "sending"},
      {"num_clipped", info.num_clipped},
      {"duration", m.duration_s},
      {"completed", m.completed},
      {"failed", m.failed},
      {"cancelled", m.cancelled},
      {"total_input_tokens", m.total_input_tokens},
      {"total_output_tokens", m.total_output_tokens},
      {"total_cached_tokens", m.total_cached_tokens},
      {"request_throughput", rate(double(m.completed))},
      {"output_throughput", rate(double(m.total_output_tokens))},
      {"total_token_throughput", rate(double(m.total_input_tokens + m.total_output_tokens))},
      {"max_output_tokens_per_s", m.peak_tokens_per_s},
      {"max_concurrent_requests", m.peak_concurrency},
      {"tokens_per_chunk", m.tokens_per_chunk},
      {"max_send_delay_ms", m.send_delay.max * 1e3},
      {"slo", slo_json(info.slo)},
      {"request_goodput", info.slo.empty() ? json() : json(goodput)},
      {"goodput", info.slo.empty() ? json() : json(goodput)},
  };
  add(&out, "ttft", m.ttft);
  add(&out, "tpot", m.tpot);
  add(&out, "itl", m.itl);
  add(&out, "e2el", m.e2el);
  add(&out, "send_delay", m.send_delay);
  add_server_times(m, &out);
  out["failures"] = json::array();
  for (const Failure& f : m.failures)
    out["failures"].push_back(
        {{"code", f.code}, {"reason", f.reason}, {"count", f.count}, {"message", f.example}});
  return out;
}

void add_requests(const std::vector<RequestRecord>& records, json* document) {
  for (const char* key :
       {"input_lens", "output_lens", "ttfts", "itls", "start_times", "errors", "outcomes"})
    (*document)[key] = json::array();
  for (const RequestRecord& record : records) {
    json itls = json::array();
    for (size_t i = 1; i < record.chunks.size(); ++i)
      itls.push_back(record.chunks[i].at_s - record.chunks[i - 1].at_s);
    (*document)["input_lens"].push_back(record.input_tokens);
    (*document)["output_lens"].push_back(record.output_tokens);
    (*document)["ttfts"].push_back(record.ttft_s());
    (*document)["itls"].push_back(std::move(itls));
    (*document)["start_times"].push_back(record.sent_s);
    (*document)["errors"].push_back(error_text(record));
    (*document)["outcomes"].push_back(outcome_name(record.outcome));
  }
}

std::string to_table(const RunInfo& info, const Metrics& m) {
  std::string out = info.model + " at " + info.endpoint + " (" + info.backend + ")\n";
  out += line("%-24s %llu completed, %llu failed, %llu cancelled, in %.2f s", "requests",
              (unsigned long long)m.completed, (unsigned long long)m.failed,
              (unsigned long long)m.cancelled, m.duration_s);
  out += line("%-24s %.2f requests/s, %.1f output tokens/s, %.1f tokens/s in all", "throughput",
              m.per_second(double(m.completed)), m.per_second(double(m.total_output_tokens)),
              m.per_second(double(m.total_input_tokens + m.total_output_tokens)));
  if (!info.slo.empty())
    out += line("%-24s %.2f requests/s within the SLO (%llu)", "goodput",
                m.per_second(double(m.good)), (unsigned long long)m.good);
  out += line("%-24s %llu in, %llu out, %llu from the prefix cache", "tokens",
              (unsigned long long)m.total_input_tokens, (unsigned long long)m.total_output_tokens,
              (unsigned long long)m.total_cached_tokens);
  out += line("%-24s %llu output tokens in a second, %llu requests at once", "peaks",
              (unsigned long long)m.peak_tokens_per_s, (unsigned long long)m.peak_concurrency);
  out += line("%-24s %.2f", "tokens a chunk", m.tokens_per_chunk);
  if (info.num_clipped > 0)
    out += line("%-24s %llu of %llu, to the context", "requests clipped",
                (unsigned long long)info.num_clipped, (unsigned long long)info.num_prompts);
  out += "\n" + latency_table(m);
  for (const Failure& f : m.failures)
    out += "failed " + std::to_string(f.count) + "×: " + f.code +
           (f.reason.empty() ? "" : " " + f.reason) + ": " + f.example + "\n";
  return out;
}

std::vector<std::string> warnings(const RunInfo& info, const Metrics& m) {
  std::vector<std::string> out;
  const bool late = m.ttft.count > 0 && m.send_delay.mean > 0.02 * m.ttft.mean;
  if (info.counts_from_schedule && late) {
    char text[200];
    std::snprintf(text, sizeof text,
                  "this client sent late by %.2f ms on average (at most %.2f ms), over 2 %% of the "
                  "mean TTFT, which counts from the schedule",
                  m.send_delay.mean * 1e3, m.send_delay.max * 1e3);
    out.push_back(text);
  }
  if (m.total_input_tokens > 0 && m.total_cached_tokens * 20 > m.total_input_tokens &&
      info.source == "random")
    out.push_back(
        "over 5 % of the prompts came from the prefix cache: an earlier run had the same seed?");
  return out;
}

}  // namespace tern::bench
