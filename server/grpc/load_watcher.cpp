#include "server/grpc/load_watcher.h"

#include <grpcpp/alarm.h>

#include <mutex>

#include "server/grpc/wire.h"

namespace tern {
namespace {

constexpr uint32_t kDefaultIntervalMs = 1000;
constexpr uint32_t kShortestMs = 100;
constexpr uint32_t kLongestMs = 3'600'000;
constexpr uint32_t kLookForShutdownMs = 500;

ApiError shutting_down() {
  return {.code = Code::kUnavailable, .reason = "DRAINING", .message = "the server shuts down"};
}

// At any time a write is in flight, or the alarm is set, or the call is finished: whichever of them
// ends goes on.
class LoadWatcher final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit LoadWatcher(const ServingState& state) : state_(state) {}

  void start(const grpc::ByteBuffer& bytes) {
    std::lock_guard lock(mutex_);
    std::optional<ApiError> error = parse_buffer(bytes, &request_);
    if (!error) error = check_interval();
    if (!error) error = state_.check_loaded();
    if (error) return finish(to_grpc(*error));
    write();
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    if (!ok || cancelled_) return finish(grpc::Status::CANCELLED);
    left_ms_ = interval_ms();
    wait();
  }
  void OnCancel() override {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    alarm_.Cancel();
  }
  void OnDone() override { delete this; }

 private:
  uint32_t interval_ms() const {
    return request_.has_interval_ms() ? request_.interval_ms() : kDefaultIntervalMs;
  }

  std::optional<ApiError> check_interval() const {
    const uint32_t ms = interval_ms();
    if (ms >= kShortestMs && ms <= kLongestMs) return {};
    return bad_field("interval_ms", "must be in [" + std::to_string(kShortestMs) + ", " +
                                        std::to_string(kLongestMs) + "], is " + std::to_string(ms));
  }

  void wait() {
    const uint32_t ms = std::min(left_ms_, kLookForShutdownMs);
    left_ms_ -= ms;
    alarm_.Set(std::chrono::system_clock::now() + std::chrono::milliseconds(ms),
               [this](bool) { on_alarm(); });
  }

  // Not one of gRPC's reactions: once Finish is called, this may be gone, the mutex with it.
  void on_alarm() {
    std::unique_lock lock(mutex_);
    const bool cancelled = cancelled_;
    if (!cancelled && !state_.closing()) return left_ms_ > 0 ? wait() : write();
    lock.unlock();
    finish(cancelled ? grpc::Status::CANCELLED : to_grpc(shutting_down()));
  }

  void write() {
    v1::Load load;
    if (const auto error = to_wire(state_.engine()->stats(), request_.sections(), &load))
      return finish(to_grpc(*error));
    buffer_ = to_buffer(load);
    StartWrite(&buffer_);
  }

  void finish(grpc::Status status) { Finish(std::move(status)); }

  const ServingState& state_;
  std::mutex mutex_;
  // Guarded by mutex_; gRPC reads buffer_ during a write.
  v1::WatchLoadRequest request_;
  grpc::ByteBuffer buffer_;
  grpc::Alarm alarm_;
  uint32_t left_ms_ = 0;  // until the next write
  bool cancelled_ = false;
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* watch_load(const ServingState& state,
                                                       const grpc::ByteBuffer& request) {
  auto* watcher = new LoadWatcher(state);
  watcher->start(request);
  return watcher;
}

}  // namespace tern
