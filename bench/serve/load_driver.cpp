#include "bench/serve/load_driver.h"

#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <memory>
#include <queue>

#include "base/mutex.h"

namespace tern::bench {
namespace {

constexpr double kTickSeconds = 0.1;       // progress, and how soon an interrupt is noticed
constexpr double kCancelGraceSeconds = 5;  // after an interrupt, for streams to end
constexpr size_t kReservedChunks = 64;     // of one stream, so that tokens seldom allocate
constexpr int32_t kNever = -1;             // no number of live requests wakes the driver

class Driver;

// One request in flight. Its record belongs to the transport's threads from send() to on_end(), and
// to the driver afterwards: num_live_ hands it over.
class LiveRequest final : public StreamSink {
 public:
  LiveRequest(Driver& driver, TimePoint start) : driver_(driver), start_(start) {}

  void on_tokens(TimePoint at, int32_t num_tokens) override;
  void on_end(TimePoint at, StreamEnd end) override;

  RequestRecord record;
  std::atomic<bool> asked_to_cancel = false;
  std::atomic<bool> has_ended = false;

 private:
  Driver& driver_;
  const TimePoint start_;
};

class Driver {
 public:
  Driver(const LoadPlan& plan, Transport& transport, const LoadHooks& hooks)
      : plan_(plan),
        transport_(transport),
        hooks_(hooks),
        num_planned_(plan.arrivals.empty() ? plan.num_requests : plan.arrivals.size()) {}

  LoadResult run() {
    prctl(PR_SET_TIMERSLACK, 1UL);  // ns: the default of 50 µs would be part of every send delay
    start_ = std::chrono::steady_clock::now();
    prepare_next();
    while (next_ || num_live_ > 0) {
      const double now = seconds();
      tick(now);
      if (next_ && now >= plan_.send_for_s) next_.reset();
      send_due();
      cancel_due();
      if (interrupted_ && num_live_ > 0 && now > give_up_at_) break;
      wait();
    }
    tick(std::numeric_limits<double>::infinity());
    prctl(PR_SET_TIMERSLACK, 0UL);           // the default again
    { const MutexLock lock(mutex_); }        // the last end may still hold it
    return take_result();
  }

  /// Streams that did not end when they were told to.
  bool has_live() const { return num_live_ > 0; }

  // Transport threads.
  void count_tokens(int32_t num_tokens) {
    num_tokens_.fetch_add(uint64_t(num_tokens), std::memory_order_relaxed);
  }
  void count_end(Outcome outcome) {
    auto& counter = outcome == Outcome::kCompleted ? num_completed_
                    : outcome == Outcome::kFailed  ? num_failed_
                                                   : num_cancelled_;
    counter.fetch_add(1, std::memory_order_relaxed);
    const MutexLock lock(mutex_);  // the driver may be gone as soon as this is let go
    // Nobody is woken by an end that changes nothing for the driver.
    if (--num_live_ <= wake_at_) wake_.notify_one();
  }

 private:
  double seconds() const { return to_seconds(std::chrono::steady_clock::now() - start_); }

  bool has_room() const { return plan_.max_concurrency == 0 || num_live_ < plan_.max_concurrency; }

  double due() const { return plan_.arrivals.empty() ? 0 : plan_.arrivals[num_sent_]; }

  // A request is made before it is due, as making a long prompt takes time.
  void prepare_next() {
    next_.reset();
    if (num_sent_ < num_planned_) next_ = plan_.request(num_sent_);
  }

  void send_due() {
    while (next_ && due() <= seconds() && has_room()) {
      LiveRequest& live = requests_.emplace_back(*this, start_);
      RequestRecord& record = live.record;
      const double now = seconds();
      record.sent_s = now;
      record.scheduled_s = plan_.arrivals.empty() ? now : due();
      record.begin_s = plan_.counts_from_schedule() ? record.scheduled_s : now;
      record.input_tokens = int32_t(next_->token_ids.size());
      record.chunks.reserve(std::min<size_t>(size_t(next_->max_tokens), kReservedChunks));
      if (next_->cancel_after_s) cancels_.push({now + *next_->cancel_after_s, &live});
      ++num_live_;
      ++num_sent_;
      transport_.send(*next_, live);
      prepare_next();
      if (next_ && seconds() >= plan_.send_for_s) next_.reset();
      tick(seconds());
    }
  }

  void cancel_due() {
    while (!cancels_.empty() && cancels_.top().first <= seconds()) {
      cancel(*cancels_.top().second);
      cancels_.pop();
    }
  }

  void cancel(LiveRequest& live) {
    if (live.has_ended) return;
    live.asked_to_cancel = true;
    transport_.cancel(live);
  }

  void tick(double now) {
    if (!interrupted_ && hooks_.stop && hooks_.stop()) {
      interrupted_ = true;
      give_up_at_ = now + kCancelGraceSeconds;
      next_.reset();
      for (LiveRequest& live : requests_) cancel(live);
    }
    if (now < next_tick_) return;
    next_tick_ = now + kTickSeconds;
    if (hooks_.on_progress)
      hooks_.on_progress({seconds(), num_sent_, num_completed_, num_failed_, num_cancelled_,
                          num_tokens_, num_live_});
  }

  void wait() {
    MutexLock lock(mutex_);
    // What would change something: room for a request that is due, or the last end.
    const bool is_blocked = next_ && due() <= seconds() && !has_room();
    wake_at_ = is_blocked ? plan_.max_concurrency - 1 : next_ ? kNever : 0;
    double until = next_tick_;
    if (next_ && !is_blocked) until = std::min(until, due());
    if (!cancels_.empty()) until = std::min(until, cancels_.top().first);
    if (num_live_ > wake_at_)  // a spurious return does no harm: the caller looks again
      wake_.wait_until(lock, start_ + to_duration(Seconds(until)));
    wake_at_ = kNever;
  }

  LoadResult take_result() {
    LoadResult result;
    result.interrupted = interrupted_;
    for (LiveRequest& live : requests_) {
      if (!live.has_ended) continue;  // given up: the transport still has it
      result.duration_s = std::max(result.duration_s, live.record.end_s);
      result.records.push_back(std::move(live.record));
    }
    return result;
  }

  const LoadPlan& plan_;
  Transport& transport_;
  const LoadHooks& hooks_;
  const uint64_t num_planned_;
  TimePoint start_;

  // The driver's thread.
  std::deque<LiveRequest> requests_;  // addresses stay
  std::optional<PlannedRequest> next_;
  uint64_t num_sent_ = 0;
  double next_tick_ = 0, give_up_at_ = 0;
  bool interrupted_ = false;
  using Cancel = std::pair<double, LiveRequest*>;
  std::priority_queue<Cancel, std::vector<Cancel>, std::greater<>> cancels_;

  std::atomic<uint64_t> num_completed_ = 0, num_failed_ = 0, num_cancelled_ = 0, num_tokens_ = 0;
  Mutex mutex_;
  CondVar wake_;
  std::atomic<int32_t> num_live_ = 0;  // goes down under mutex_
  int32_t wake_at_ TERN_GUARDED_BY(mutex_) = kNever;
};

void LiveRequest::on_tokens(TimePoint at, int32_t num_tokens) {
  record.chunks.push_back({to_seconds(at - start_), num_tokens});
  driver_.count_tokens(num_tokens);
}

void LiveRequest::on_end(TimePoint at, StreamEnd end) {
  record.end_s = to_seconds(at - start_);
  if (end.code.empty())
    record.outcome = Outcome::kCompleted;
  else
    record.outcome = asked_to_cancel ? Outcome::kCancelled : Outcome::kFailed;
  int32_t streamed = 0;
  for (const Chunk& chunk : record.chunks) streamed += chunk.num_tokens;
  record.output_tokens = end.output_tokens.value_or(streamed);
  record.input_tokens = end.input_tokens.value_or(record.input_tokens);
  record.cached_tokens = end.cached_tokens;
  record.server = end.server;
  record.code = std::move(end.code);
  record.reason = std::move(end.reason);
  record.message = std::move(end.message);
  const Outcome outcome = record.outcome;
  has_ended = true;
  driver_.count_end(outcome);
}

}  // namespace

LoadResult run_load(const LoadPlan& plan, Transport& transport, const LoadHooks& hooks) {
  auto driver = std::make_unique<Driver>(plan, transport, hooks);
  LoadResult result = driver->run();
  result.has_abandoned = driver->has_live();
  if (result.has_abandoned) (void)driver.release();  // the transport has pointers into it
  return result;
}

}  // namespace tern::bench
