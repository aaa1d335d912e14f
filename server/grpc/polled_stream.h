// A server stream whose messages are looked for, because nothing tells when there is one.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <optional>

namespace tern {

/// Owns itself until gRPC is done with it.
class PolledStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  struct Turn {
    std::optional<grpc::ByteBuffer> message;
    std::optional<grpc::Status> end;  ///< after the message, if there is one
  };

  /// Takes the call over: asks `poll` now and an `interval` after each turn, until it ends the call
  /// or the client leaves. One thread at a time, none of them ours.
  static PolledStream* start(grpc::CallbackServerContext& context,
                             std::chrono::milliseconds interval, std::function<Turn()> poll) {
    auto* stream = new PolledStream(context, interval, std::move(poll));
    stream->turn();
    return stream;
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    wait();
  }
  void OnDone() override { delete this; }

 private:
  PolledStream(grpc::CallbackServerContext& context, std::chrono::milliseconds interval,
               std::function<Turn()> poll)
      : context_(context), interval_(interval), poll_(std::move(poll)) {}

  // A write is in flight, or the alarm is set, or the call is finished: whichever of them ends goes
  // on, so there is nothing to lock.
  void turn() {
    if (context_.IsCancelled()) return Finish(grpc::Status::CANCELLED);
    Turn turn = poll_();
    if (turn.message) buffer_ = *std::move(turn.message);
    if (turn.message && turn.end)
      StartWriteAndFinish(&buffer_, grpc::WriteOptions(), *turn.end);
    else if (turn.message)
      StartWrite(&buffer_);
    else if (turn.end)
      Finish(*turn.end);
    else
      wait();
  }

  void wait() {
    alarm_.Set(std::chrono::system_clock::now() + interval_, [this](bool) { turn(); });
  }

  grpc::CallbackServerContext& context_;  // gRPC's, until OnDone
  const std::chrono::milliseconds interval_;
  const std::function<Turn()> poll_;
  grpc::ByteBuffer buffer_;  // gRPC reads it during a write
  grpc::Alarm alarm_;
};

}  // namespace tern
