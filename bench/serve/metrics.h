// From records to figures, by vLLM's formulas.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/serve/request.h"
#include "bench/support/distribution.h"
#include "bench/support/slo.h"

namespace tern::bench {

/// Failures alike.
struct Failure {
  std::string code, reason;
  std::string example;  ///< the first one's message
  uint64_t count = 0;
};

/// Latencies in seconds, of completed requests.
struct Metrics {
  double duration_s = 0;
  uint64_t completed = 0, failed = 0, cancelled = 0;
  uint64_t good = 0;                                         ///< completed and within the SLO
  uint64_t total_input_tokens = 0, total_output_tokens = 0;  ///< of completed requests
  uint64_t total_cached_tokens = 0;
  Distribution ttft, e2el;
  Distribution tpot;            ///< of requests with more than one token
  Distribution itl;             ///< every gap between two streamed outputs
  double tokens_per_chunk = 0;  ///< over 1: a gap stands for several tokens
  Distribution send_delay;      ///< sent later than scheduled; of all requests
  /// The server's own clock, of completed requests that have it.
  Distribution server_ttft, server_tpot, server_e2el;
  /// What the client saw beyond that, request by request.
  Distribution ttft_overhead, e2el_overhead;
  uint64_t peak_tokens_per_s = 0;  ///< in the fullest second, of seconds counted from the start
  uint64_t peak_concurrency = 0;   ///< most requests in flight at one moment
  std::vector<Failure> failures;   ///< most frequent first

  double per_second(double amount) const { return duration_s > 0 ? amount / duration_s : 0; }
};

Metrics compute_metrics(const std::vector<RequestRecord>& records, double duration_s,
                        const ServiceLevel& slo);

/// Tokens that were streamed in each second since the start, whatever became of their requests.
std::vector<uint64_t> tokens_by_second(const std::vector<RequestRecord>& records);

/// Requests in flight after each sending and ending: (second, count), in the order of time. One
/// that ends when another begins does not overlap it.
std::vector<std::pair<double, int64_t>> concurrency_steps(
    const std::vector<RequestRecord>& records);

}  // namespace tern::bench
