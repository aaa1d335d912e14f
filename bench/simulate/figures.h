// What a simulated run comes to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "bench/simulate/simulator.h"
#include "bench/support/slo.h"

namespace tern::bench {

/// Latencies and rates are of completed requests. The latency per token of a request is its E2E
/// latency / its answer's tokens.
struct Figures {
  double completed = 0, failed = 0;
  double mean_per_token_ms = 0, p50_per_token_ms = 0, p99_per_token_ms = 0, max_per_token_ms = 0;
  double mean_ttft_ms = 0, p50_ttft_ms = 0, p99_ttft_ms = 0, max_ttft_ms = 0;
  double mean_e2el_ms = 0, p50_e2el_ms = 0, p99_e2el_ms = 0, max_e2el_ms = 0;
  double max_wait_ms = 0;  ///< from an arrival to the first step that computes it
  double starved = 0;      ///< requests that waited longer than FigureOptions::starved_after_s
  double duration_s = 0;   ///< until the last answer's end
  double request_throughput = 0, output_throughput = 0;  ///< a second
  double goodput = 0;                                    ///< requests a second that keep the SLO
  double preemptions = 0, recomputed_tokens = 0;
  double prefix_hit_rate = 0;  ///< of the prompts' tokens, those that the prefix cache had
  /// Jain's index, (Σx)² / (n Σx²): 1 where all are served alike, 1/n where one has everything. Of
  /// the rates x at which requests were served, tokens / E2E latency.
  double fairness = 0;
  /// Jain's index over tenants, x = a tenant's tokens / the sum of its latencies; 1 for a single
  /// one.
  double tenant_fairness = 0;
  double busy_share = 0;  ///< of the duration, in steps
};

/// A figure by its name in JSON.
struct FigureKey {
  std::string_view name;
  double Figures::*value;
  bool is_count = false;          ///< a whole number in a run
  bool higher_is_better = false;  ///< of those that something may be tuned for
};
std::span<const FigureKey> figure_keys();
const FigureKey* find_figure(std::string_view name);  ///< or null

struct FigureOptions {
  ServiceLevel slo;
  double starved_after_s = 120;
};

Figures compute_figures(const SimOutcome& outcome, const LoadSource& source,
                        const FigureOptions& options);

/// The figures of the first `num_requests` rows of a log as it tells them
/// (LoadSource::has_latencies); what it does not tell, as what steps computed, is 0.
Figures logged_figures(const LoadSource& source, uint64_t num_requests,
                       const FigureOptions& options);

/// Each figure's median over the runs; of at least one.
Figures median_figures(const std::vector<Figures>& runs);

/// (Σx)² / (n Σx²); 1 of nothing, or where all are 0 (Jain, Chiu and Hawe, DEC-TR-301, 1984).
double jain_index(const std::vector<double>& values);

}  // namespace tern::bench
