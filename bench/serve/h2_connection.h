// gRPC calls over one HTTP/2 connection, by nghttp2.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "bench/serve/event_loop.h"
#include "bench/serve/grpc_wire.h"

struct nghttp2_session;

namespace tern::bench {

/// Who hears of one call, on the loop's thread. on_end() is the last one.
class GrpcCallSink {
 public:
  virtual Status on_message(TimePoint at, std::string_view message) = 0;
  virtual void on_end(TimePoint at, GrpcStatus status) = 0;

 protected:
  ~GrpcCallSink() = default;
};

/// Everything happens on the loop's thread. A connection that has broken is made again by the next
/// call; the calls on it end as UNAVAILABLE.
class H2Connection final : public EventLoop::Handler {
 public:
  /// `authority` is the server's name in requests.
  H2Connection(EventLoop& loop, SocketAddress address, std::string authority);
  ~H2Connection();

  /// Begins a call with one message. `sink` must live until its on_end(), which may come before
  /// this returns. `path` is "/package.Service/Method". Nothing is written before flush().
  void call(const std::string& path, std::string_view message, GrpcCallSink& sink);

  /// on_end() follows, with CANCELLED, in flush(). Nothing happens where the call has ended.
  void cancel(GrpcCallSink& sink);

  /// Writes what is ready, as much as the socket takes. After each batch of the loop.
  void flush();

  void on_ready(uint32_t epoll_events) override;

 private:
  struct Stream;
  struct Callbacks;

  bool open();
  void read();
  void end_stream(Stream& stream, GrpcStatus status);
  void lose(const std::string& why);
  void write_out();

  EventLoop& loop_;
  const SocketAddress address_;
  const std::string authority_;
  Fd fd_;
  nghttp2_session* session_ = nullptr;  // null: not connected
  bool is_connecting_ = false, waits_for_room_ = false;
  std::string out_;  // not yet written
  size_t num_written_ = 0;
  TimePoint read_at_;  // of the bytes that are being taken apart
  std::unordered_map<GrpcCallSink*, std::unique_ptr<Stream>> streams_;
};

}  // namespace tern::bench
