// What came of all requests since start, and of the last ones in full.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/last_n.h"
#include "base/mutex.h"
#include "engine/step/step_histograms.h"
#include "server/api/request_record.h"
#include "server/metrics/labels.h"

namespace tern::metrics {

namespace buckets {

// vLLM's bounds, and finer ones below them: an edge model's first token comes in milliseconds.
inline constexpr double kTtft[] = {.00025, .0005, .001, .002, .005, .01, .02, .04, .06,
                                   .08,    .1,    .25,  .5,   .75,  1,   2.5, 5,   7.5,
                                   10,     20,    40,   80,   160,  640, 2560};
inline constexpr double kRequest[] = {.001, .0025, .005, .01, .025, .05, .1,  .2,   .3,  .5,
                                      .8,   1,     1.5,  2,   2.5,  5,   10,  15,   20,  30,
                                      40,   50,    60,   120, 240,  480, 960, 1920, 7680};
inline constexpr double kTokens[] = {1,     2,      5,      10,     20,     50,    100,
                                     200,   500,    1000,   2000,   5000,   10000, 20000,
                                     50000, 100000, 200000, 500000, 1000000};
inline constexpr double kAnswers[] = {1, 2, 5, 10, 20, 50, 100};

}  // namespace buckets

/// Counters and distributions, a plain copy. Durations in seconds.
struct RequestTotals {
  using ByFinish = std::array<uint64_t, kFinishNames.size()>;
  using ByCode = std::array<ByFinish, kNumCodes>;

  std::array<ByCode, kNumClasses> ended{};  ///< [class][code][finish]
  std::array<uint64_t, kReasons.size()> refused{};
  std::array<uint64_t, kDeadlineMissNames.size()> deadline_missed{};
  uint64_t num_slow_consumers = 0;  ///< ended for not reading

  // These count accepted requests, however they ended; one that never came to a token has no TTFT,
  // and so on.
  Histogram queue{buckets::kRequest};
  Histogram ttft{buckets::kTtft};
  Histogram prefill{buckets::kRequest};    ///< admission to first token
  Histogram decode{buckets::kRequest};     ///< first token to end
  Histogram inference{buckets::kRequest};  ///< admission to end
  Histogram e2e{buckets::kRequest};
  Histogram tpot{tern::buckets::kTokenSeconds};
  Histogram cancel_to_end{buckets::kRequest};
  Histogram prompt_tokens{buckets::kTokens};
  Histogram completion_tokens{buckets::kTokens};
  Histogram max_tokens{buckets::kTokens};
  Histogram n{buckets::kAnswers};

  uint64_t num(Outcome outcome) const;
  /// Requests that the engine had accepted.
  uint64_t num_ended() const;
};

/// 0 where nothing ended.
struct Percentiles {
  double p50 = 0, p95 = 0, p99 = 0;
};

/// What ended lately.
struct RecentSummary {
  size_t num_requests = 0;  ///< that the engine had accepted
  size_t num_failed = 0, num_cancelled = 0;
  uint64_t prompt_tokens = 0, cached_tokens = 0;  ///< cached: of the prompts, found in the cache
  Percentiles ttft, tpot, e2e;                    ///< seconds
  std::array<uint64_t, kReasons.size()> refused{};
};

struct RecentEnd {
  RequestRecord record;
  TimePoint at;
};

/// Any thread.
class RequestMetrics final : public RequestObserver {
 public:
  static constexpr size_t kMostSamples = 4096;  ///< that percentiles are of
  static constexpr size_t kMostEnds = 20;

  explicit RequestMetrics(const Clock& clock) : clock_(clock) {}

  void on_request_end(const RequestRecord& record) override;

  RequestTotals totals() const;

  /// Sums up the requests that ended in the last `window`: at most the last kMostSamples of those
  /// that were accepted and as many of those that were not.
  RecentSummary summary(Seconds window) const;

  /// The last kMostEnds, newest first; refused ones too.
  std::vector<RecentEnd> recent_ends() const;

 private:
  struct Sample {
    TimePoint at;
    float ttft, tpot, e2e;  // seconds; negative: none
    Outcome outcome;
    int32_t prompt_tokens, cached_tokens;
  };
  struct Refusal {
    TimePoint at;
    size_t reason;  // index into kReasons
  };

  const Clock& clock_;
  mutable Mutex mutex_;
  RequestTotals totals_ TERN_GUARDED_BY(mutex_);
  LastN<Sample> samples_ TERN_GUARDED_BY(mutex_){kMostSamples};
  LastN<Refusal> refusals_ TERN_GUARDED_BY(mutex_){kMostSamples};
  LastN<RecentEnd> ends_ TERN_GUARDED_BY(mutex_){kMostEnds};
};

}  // namespace tern::metrics
