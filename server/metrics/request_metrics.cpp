#include "server/metrics/request_metrics.h"

#include <algorithm>
#include <cmath>

namespace tern::metrics {
namespace {

template <class T, size_t size>
T& at(std::array<T, size>& values, auto index) {
  return values.at(static_cast<size_t>(index));
}

void observe_durations(const RequestRecord& r, RequestTotals& totals) {
  totals.queue.observe(r.queue.count());
  totals.e2e.observe(r.e2e.count());
  totals.inference.observe((r.e2e - r.queue).count());
  if (r.ttft) {
    totals.ttft.observe(r.ttft->count());
    totals.prefill.observe((*r.ttft - r.queue).count());
    totals.decode.observe((r.e2e - *r.ttft).count());
  }
  if (r.tpot) totals.tpot.observe(r.tpot->count());
  if (r.cancel_to_end) totals.cancel_to_end.observe(r.cancel_to_end->count());
}

float seconds_or_none(const std::optional<Seconds>& value) {
  return value ? static_cast<float>(value->count()) : -1.0f;
}

// Takes percentiles by the nearest rank; sorts `values`.
Percentiles percentiles(std::vector<float>& values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto rank = [&](double share) {
    return double(values[static_cast<size_t>(std::ceil(share * double(values.size()))) - 1]);
  };
  return {rank(0.5), rank(0.95), rank(0.99)};
}

}  // namespace

uint64_t RequestTotals::num(Outcome outcome) const {
  uint64_t sum = 0;
  for (const ByCode& by_code : ended)
    for (size_t code = 0; code < by_code.size(); ++code)
      for (size_t finish = 0; finish < kFinishNames.size(); ++finish) {
        const bool accepted = static_cast<Finish>(finish) != Finish::kRefused;
        if (outcome_of(accepted, static_cast<Code>(code)) == outcome) sum += by_code[code][finish];
      }
  return sum;
}

uint64_t RequestTotals::num_ended() const {
  return num(Outcome::kOk) + num(Outcome::kCancelled) + num(Outcome::kFailed);
}

void RequestMetrics::on_request_end(const RequestRecord& record) {
  const TimePoint now = clock_.now();
  const MutexLock lock(mutex_);
  ++at(at(at(totals_.ended, record.priority), record.code), finish_of(record));
  if (const auto where = deadline_miss(record)) ++at(totals_.deadline_missed, *where);
  ends_.push({record, now});
  if (!record.accepted) {
    const size_t reason = reason_index(record.reason);
    ++totals_.refused[reason];
    refusals_.push({now, reason});
    return;
  }
  totals_.num_slow_consumers += record.reason == "SLOW_CONSUMER";

  observe_durations(record, totals_);
  totals_.prompt_tokens.observe(record.prompt_tokens);
  totals_.completion_tokens.observe(record.completion_tokens);
  if (record.max_tokens > 0) totals_.max_tokens.observe(record.max_tokens);
  totals_.n.observe(record.n);
  samples_.push({now, seconds_or_none(record.ttft), seconds_or_none(record.tpot),
                 static_cast<float>(record.e2e.count()), outcome_of(record.accepted, record.code),
                 record.prompt_tokens, record.cached_tokens});
}

RequestTotals RequestMetrics::totals() const {
  const MutexLock lock(mutex_);
  return totals_;
}

RecentSummary RequestMetrics::summary(Seconds window) const {
  RecentSummary out;
  std::vector<float> ttft, tpot, e2e;
  {
    const MutexLock lock(mutex_);
    const TimePoint oldest = clock_.now() - to_duration(window);
    for (size_t i = 0; i < samples_.size() && samples_.newest(i).at >= oldest; ++i) {
      const Sample& sample = samples_.newest(i);
      if (sample.ttft >= 0) ttft.push_back(sample.ttft);
      if (sample.tpot >= 0) tpot.push_back(sample.tpot);
      e2e.push_back(sample.e2e);
      out.num_failed += sample.outcome == Outcome::kFailed;
      out.num_cancelled += sample.outcome == Outcome::kCancelled;
      out.prompt_tokens += static_cast<uint64_t>(sample.prompt_tokens);
      out.cached_tokens += static_cast<uint64_t>(sample.cached_tokens);
    }
    for (size_t i = 0; i < refusals_.size() && refusals_.newest(i).at >= oldest; ++i)
      ++out.refused[refusals_.newest(i).reason];
  }
  out.num_requests = e2e.size();
  out.ttft = percentiles(ttft);
  out.tpot = percentiles(tpot);
  out.e2e = percentiles(e2e);
  return out;
}

std::vector<RecentEnd> RequestMetrics::recent_ends() const {
  const MutexLock lock(mutex_);
  std::vector<RecentEnd> ends;
  for (size_t i = 0; i < ends_.size(); ++i) ends.push_back(ends_.newest(i));
  return ends;
}

}  // namespace tern::metrics
