#include "bench/serve/metrics.h"

#include <algorithm>

namespace tern::bench {
namespace {

struct Samples {
  std::vector<double> ttft, e2el, tpot, itl, server_ttft, server_e2el, server_tpot, ttft_overhead,
      e2el_overhead;
};

void add_server_times(const RequestRecord& record, Samples* to) {
  if (!record.server) return;
  const ServerTimings& server = *record.server;
  to->server_ttft.push_back(server.ttft_s);
  to->server_e2el.push_back(server.e2e_s);
  if (record.output_tokens > 1)
    to->server_tpot.push_back((server.e2e_s - server.ttft_s) / (record.output_tokens - 1));
  // Counted from the sending: what this client was late for costs no server.
  if (!record.chunks.empty())
    to->ttft_overhead.push_back(record.chunks.front().at_s - record.sent_s - server.ttft_s);
  to->e2el_overhead.push_back(record.end_s - record.sent_s - server.e2e_s);
}

void add_completed(const RequestRecord& record, Samples* to) {
  if (!record.chunks.empty()) to->ttft.push_back(record.ttft_s());
  to->e2el.push_back(record.e2el_s());
  if (record.output_tokens > 1) to->tpot.push_back(record.tpot_s());
  for (size_t i = 1; i < record.chunks.size(); ++i)
    to->itl.push_back(record.chunks[i].at_s - record.chunks[i - 1].at_s);
  add_server_times(record, to);
}

void count_failure(const RequestRecord& record, std::vector<Failure>* failures) {
  const auto found = std::ranges::find_if(*failures, [&](const Failure& failure) {
    return failure.code == record.code && failure.reason == record.reason;
  });
  if (found != failures->end())
    ++found->count;
  else
    failures->push_back({record.code, record.reason, record.message, 1});
}

}  // namespace

Metrics compute_metrics(const std::vector<RequestRecord>& records, double duration_s,
                        const ServiceLevel& slo) {
  Metrics out;
  out.duration_s = duration_s;
  Samples samples;
  std::vector<double> delays;
  uint64_t num_chunks = 0;
  for (const RequestRecord& record : records) {
    delays.push_back(record.sent_s - record.scheduled_s);
    out.cancelled += record.outcome == Outcome::kCancelled;
    if (record.outcome == Outcome::kFailed) {
      ++out.failed;
      count_failure(record, &out.failures);
    }
    if (record.outcome != Outcome::kCompleted) continue;
    ++out.completed;
    out.good += slo.is_met(record.latencies());
    out.total_input_tokens += uint64_t(record.input_tokens);
    out.total_output_tokens += uint64_t(record.output_tokens);
    out.total_cached_tokens += uint64_t(record.cached_tokens);
    num_chunks += record.chunks.size();
    add_completed(record, &samples);
  }
  out.ttft = describe(std::move(samples.ttft));
  out.e2el = describe(std::move(samples.e2el));
  out.tpot = describe(std::move(samples.tpot));
  out.itl = describe(std::move(samples.itl));
  out.send_delay = describe(std::move(delays));
  out.server_ttft = describe(std::move(samples.server_ttft));
  out.server_e2el = describe(std::move(samples.server_e2el));
  out.server_tpot = describe(std::move(samples.server_tpot));
  out.ttft_overhead = describe(std::move(samples.ttft_overhead));
  out.e2el_overhead = describe(std::move(samples.e2el_overhead));
  if (num_chunks > 0) out.tokens_per_chunk = double(out.total_output_tokens) / double(num_chunks);
  for (const uint64_t tokens : tokens_by_second(records))
    out.peak_tokens_per_s = std::max(out.peak_tokens_per_s, tokens);
  for (const auto& [at, count] : concurrency_steps(records))
    out.peak_concurrency = std::max(out.peak_concurrency, uint64_t(count));
  std::ranges::stable_sort(out.failures, std::greater<>(), &Failure::count);
  return out;
}

std::vector<uint64_t> tokens_by_second(const std::vector<RequestRecord>& records) {
  std::vector<uint64_t> seconds;
  for (const RequestRecord& record : records)
    for (const Chunk& chunk : record.chunks) {
      const size_t second = size_t(std::max(chunk.at_s, 0.0));
      if (second >= seconds.size()) seconds.resize(second + 1);
      seconds[second] += uint64_t(chunk.num_tokens);
    }
  return seconds;
}

std::vector<std::pair<double, int64_t>> concurrency_steps(
    const std::vector<RequestRecord>& records) {
  std::vector<std::pair<double, int64_t>> steps;  // (second, change), ends first
  for (const RequestRecord& record : records) {
    steps.emplace_back(record.sent_s, 1);
    steps.emplace_back(record.end_s, -1);
  }
  std::ranges::sort(steps);
  int64_t count = 0;
  for (auto& [at, change] : steps) change = count += change;
  return steps;
}

}  // namespace tern::bench
