// Sends a plan's requests at their times and writes down what comes back.
#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "bench/serve/transport.h"

namespace tern::bench {

struct LoadPlan {
  /// Open loop: request i is due so many seconds after the start. Empty: at once, as far as
  /// `max_concurrency` lets it.
  std::vector<double> arrivals;
  uint64_t num_requests = 0;    ///< as many as `arrivals` has, where it has any
  int32_t max_concurrency = 0;  ///< most live requests; 0: no limit
  double send_for_s = std::numeric_limits<double>::infinity();  ///< then nothing more is sent
  std::function<PlannedRequest(uint64_t)> request;

  /// Where the client itself decides when to send, latencies count from the sending. In an open
  /// loop without a cap they count from when a request was due: a client that is late must not hide
  /// what its requests waited.
  bool counts_from_schedule() const { return !arrivals.empty() && max_concurrency == 0; }
};

/// What has happened so far.
struct LoadProgress {
  double elapsed_s = 0;
  uint64_t num_sent = 0, num_completed = 0, num_failed = 0, num_cancelled = 0, num_tokens = 0;
  int32_t num_live = 0;
};

struct LoadHooks {
  std::function<bool()> stop;  ///< true: send no more, cancel what is live. May be empty
  std::function<void(const LoadProgress&)> on_progress;  ///< ten times a second. May be empty
};

struct LoadResult {
  std::vector<RequestRecord> records;  ///< of what was sent, in this order
  double duration_s = 0;               ///< from the start to the last end
  bool interrupted = false;
  bool has_abandoned = false;  ///< streams did not end though cancelled: `transport` has them still
};

/// Runs on this thread until every request has ended; `transport` is connected.
LoadResult run_load(const LoadPlan& plan, Transport& transport, const LoadHooks& hooks);

}  // namespace tern::bench
