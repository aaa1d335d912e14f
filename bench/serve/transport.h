// What carries requests to a server: gRPC, HTTP, or a test's own.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/status.h"
#include "bench/serve/request.h"

namespace tern::bench {

/// How a stream ended, as the server or the transport tells.
struct StreamEnd {
  std::string code;  ///< empty: completed
  std::string reason, message;
  std::optional<int32_t> input_tokens, output_tokens;
  int32_t cached_tokens = 0;
  std::optional<ServerTimings> server;
};

/// Who hears of one stream. Called by a transport's threads, one call at a time, in order; on_end()
/// is the last one.
class StreamSink {
 public:
  virtual void on_tokens(TimePoint at, int32_t num_tokens) = 0;
  virtual void on_end(TimePoint at, StreamEnd end) = 0;

 protected:
  ~StreamSink() = default;
};

/// One thread calls; it must outlive every stream.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Connects and asks what is served. kUnavailable: no server answers there. kCancelled: `stop`
  /// came to be true.
  virtual Result<ServerFacts> connect(const std::function<bool()>& stop) = 0;

  /// Sends without waiting. `sink` must live until its on_end(), which may come before this
  /// returns.
  virtual void send(const PlannedRequest& request, StreamSink& sink) = 0;

  /// Hangs up; on_end() follows. Nothing happens to a stream that has ended.
  virtual void cancel(StreamSink& sink) = 0;

  /// "tern.v1" or "openai"; and where requests go.
  virtual std::string name() const = 0;
  virtual std::string endpoint() const = 0;
};

}  // namespace tern::bench
