#include "bench/simulate/figures.h"

#include <algorithm>
#include <map>

#include "bench/support/distribution.h"

namespace tern::bench {
namespace {

constexpr double kMs = 1e3;

struct Samples {
  std::vector<double> per_token, ttft, e2el, rates;
  struct Tenant {
    double tokens = 0, seconds = 0;
  };
  std::map<std::string, Tenant> tenants;  // ordered, so that sums have one order
};

void add(const SimRecord& record, const SourceRow& row, Samples* to) {
  const double e2el = record.e2el_s(), tokens = row.output_tokens;
  to->ttft.push_back(record.ttft_s());
  to->e2el.push_back(e2el);
  to->per_token.push_back(e2el / tokens);
  to->rates.push_back(tokens / e2el);
  Samples::Tenant& tenant = to->tenants[row.tenant];
  tenant.tokens += tokens;
  tenant.seconds += e2el;
}

Latencies latencies_of(const SimRecord& record, int32_t output_tokens) {
  const double tpot =
      output_tokens > 1 ? (record.e2el_s() - record.ttft_s()) / (output_tokens - 1) : 0;
  return {record.ttft_s(), tpot, record.e2el_s()};
}

void set_latencies(const Samples& samples, Figures* out) {
  const Distribution per_token = describe(samples.per_token), ttft = describe(samples.ttft),
                     e2el = describe(samples.e2el);
  out->mean_per_token_ms = per_token.mean * kMs;
  out->p50_per_token_ms = per_token.p50 * kMs;
  out->p99_per_token_ms = per_token.p99 * kMs;
  out->max_per_token_ms = per_token.max * kMs;
  out->mean_ttft_ms = ttft.mean * kMs;
  out->p50_ttft_ms = ttft.p50 * kMs;
  out->p99_ttft_ms = ttft.p99 * kMs;
  out->max_ttft_ms = ttft.max * kMs;
  out->mean_e2el_ms = e2el.mean * kMs;
  out->p50_e2el_ms = e2el.p50 * kMs;
  out->p99_e2el_ms = e2el.p99 * kMs;
  out->max_e2el_ms = e2el.max * kMs;
}

}  // namespace

std::span<const FigureKey> figure_keys() {
  static constexpr FigureKey kKeys[] = {
      {"completed", &Figures::completed, true, true},
      {"failed", &Figures::failed, true},
      {"mean_per_token_ms", &Figures::mean_per_token_ms},
      {"p50_per_token_ms", &Figures::p50_per_token_ms},
      {"p99_per_token_ms", &Figures::p99_per_token_ms},
      {"max_per_token_ms", &Figures::max_per_token_ms},
      {"mean_ttft_ms", &Figures::mean_ttft_ms},
      {"p50_ttft_ms", &Figures::p50_ttft_ms},
      {"p99_ttft_ms", &Figures::p99_ttft_ms},
      {"max_ttft_ms", &Figures::max_ttft_ms},
      {"mean_e2el_ms", &Figures::mean_e2el_ms},
      {"p50_e2el_ms", &Figures::p50_e2el_ms},
      {"p99_e2el_ms", &Figures::p99_e2el_ms},
      {"max_e2el_ms", &Figures::max_e2el_ms},
      {"max_wait_ms", &Figures::max_wait_ms},
      {"starved", &Figures::starved, true},
      {"duration_s", &Figures::duration_s},
      {"request_throughput", &Figures::request_throughput, false, true},
      {"output_throughput", &Figures::output_throughput, false, true},
      {"goodput", &Figures::goodput, false, true},
      {"preemptions", &Figures::preemptions, true},
      {"recomputed_tokens", &Figures::recomputed_tokens, true},
      {"prefix_hit_rate", &Figures::prefix_hit_rate, false, true},
      {"fairness", &Figures::fairness, false, true},
      {"tenant_fairness", &Figures::tenant_fairness, false, true},
      {"busy_share", &Figures::busy_share, false, true},
  };
  return kKeys;
}

const FigureKey* find_figure(std::string_view name) {
  const auto found = std::ranges::find(figure_keys(), name, &FigureKey::name);
  return found == figure_keys().end() ? nullptr : &*found;
}

double jain_index(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double x : values) {
    sum += x;
    squares += x * x;
  }
  return squares > 0 ? sum * sum / (double(values.size()) * squares) : 1;
}

Figures compute_figures(const SimOutcome& outcome, const LoadSource& source,
                        const FigureOptions& options) {
  Figures out;
  Samples samples;
  double good = 0, tokens = 0;
  for (const SimRecord& record : outcome.records) {
    const SourceRow& row = source.rows[size_t(record.row)];
    if (record.admitted_s >= 0) {
      out.max_wait_ms = std::max(out.max_wait_ms, record.wait_s() * kMs);
      out.starved += record.wait_s() > options.starved_after_s;
    }
    if (!record.completed) {
      ++out.failed;
      continue;
    }
    ++out.completed;
    tokens += row.output_tokens;
    good += options.slo.is_met(latencies_of(record, row.output_tokens));
    add(record, row, &samples);
  }
  set_latencies(samples, &out);
  out.fairness = jain_index(samples.rates);
  std::vector<double> tenant_rates;
  for (const auto& [name, tenant] : samples.tenants)
    tenant_rates.push_back(tenant.tokens / tenant.seconds);
  out.tenant_fairness = jain_index(tenant_rates);
  out.duration_s = outcome.end_s;
  const double per_second = outcome.end_s > 0 ? 1 / outcome.end_s : 0;
  out.request_throughput = out.completed * per_second;
  out.output_throughput = tokens * per_second;
  out.goodput = good * per_second;
  out.busy_share = outcome.busy_s * per_second;
  const SchedulerStats& stats = outcome.stats;
  out.preemptions = double(stats.num_preemptions);
  out.recomputed_tokens = double(stats.num_recomputed_tokens);
  if (stats.prefix_cache_query_tokens > 0)
    out.prefix_hit_rate =
        double(stats.prefix_cache_hit_tokens) / double(stats.prefix_cache_query_tokens);
  return out;
}

Figures logged_figures(const LoadSource& source, uint64_t num_requests,
                       const FigureOptions& options) {
  SimOutcome outcome;
  for (size_t i = 0; i < std::min<size_t>(num_requests, source.rows.size()); ++i) {
    const SourceRow& row = source.rows[i];
    SimRecord record{.row = int32_t(i), .arrival_s = row.at_s, .completed = true};
    record.admitted_s = row.at_s + row.logged_queue_s;
    record.first_token_s = row.at_s + row.logged_ttft_s;
    // A time of 0.0 in the log is one that was rounded.
    record.end_s = row.at_s + std::max(row.logged_e2el_s, 5e-5);
    outcome.end_s = std::max(outcome.end_s, record.end_s);
    outcome.records.push_back(record);
  }
  return compute_figures(outcome, source, options);
}

Figures median_figures(const std::vector<Figures>& runs) {
  Figures out;
  for (const FigureKey& key : figure_keys()) {
    std::vector<double> values;
    for (const Figures& run : runs) values.push_back(run.*key.value);
    std::ranges::sort(values);
    out.*key.value = percentile(values, 50);
  }
  return out;
}

}  // namespace tern::bench
