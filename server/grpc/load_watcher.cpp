#include "server/grpc/load_watcher.h"

#include <algorithm>

#include "server/grpc/polled_stream.h"
#include "server/grpc/wire.h"

namespace tern {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kDefaultIntervalMs = 1000;
constexpr uint32_t kShortestMs = 100;
constexpr uint32_t kLongestMs = 3'600'000;
constexpr milliseconds kLookForShutdown{500};

std::optional<ApiError> check(const v1::WatchLoadRequest& request, const ServingState& state) {
  const uint32_t ms = request.interval_ms();
  if (request.has_interval_ms() && (ms < kShortestMs || ms > kLongestMs))
    return bad_field("interval_ms", "must be in [" + std::to_string(kShortestMs) + ", " +
                                        std::to_string(kLongestMs) + "], is " + std::to_string(ms));
  return state.check_loaded();
}

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* watch_load(const ServingState& state,
                                                       grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer& bytes) {
  v1::WatchLoadRequest request;
  std::optional<ApiError> error = parse_buffer(bytes, &request);
  if (!error) error = check(request, state);
  if (error) return refuse_stream(*error);
  const milliseconds interval(request.has_interval_ms() ? request.interval_ms()
                                                        : kDefaultIntervalMs);
  const milliseconds tick = std::min(interval, kLookForShutdown);
  const auto poll = [&state, request, interval, tick, left = milliseconds(0)]() mutable {
    PolledStream::Turn turn;
    if (state.closing()) {
      turn.end = to_grpc(
          {.code = Code::kUnavailable, .reason = "DRAINING", .message = "the server shuts down"});
    } else if (left.count() <= 0) {
      left = interval;
      v1::Load load;
      if (const auto failure = to_wire(state.engine()->stats(), request.sections(), &load))
        turn.end = to_grpc(*failure);
      else
        turn.message = to_buffer(load);
    }
    left -= tick;
    return turn;
  };
  return PolledStream::start(*context, tick, poll);
}

}  // namespace tern
