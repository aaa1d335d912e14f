// The socket of one client: every wait and every size has a limit.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "server/http/listener.h"

namespace tern::http {

/// One thread.
class Connection {
 public:
  /// `fd` stays the caller's. `peer`: who the client is, for the log.
  Connection(int fd, std::string peer, const ConnectionTimeouts& timeouts)
      : fd_(fd), peer_(std::move(peer)), timeouts_(timeouts) {}

  int fd() const { return fd_; }
  const std::string& peer() const { return peer_; }

  // ---- reading ----

  /// The phases of a request: each sets how long and how many bytes reading may take.
  void begin_header();
  void begin_body(uint64_t max_bytes);

  /// What has come and is not taken yet; after it has been taken, more may be read.
  std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void take(size_t num_bytes) { begin_ += num_bytes; }

  enum class Read {
    kBytes,    ///< unread() has some
    kEnd,      ///< the client sends nothing more, or the connection is broken
    kTimeout,  ///< of the phase
    kTooMany,  ///< bytes of the phase
  };

  /// Waits for bytes where none are unread.
  Read read();

  // ---- writing ----

  /// All of it; false where the client is gone, or reads nothing for too long.
  bool write(std::string_view bytes);

  // ---- the client ----

  /// What the socket knows of a client.
  enum class Client {
    kThere,
    kSilent,  ///< it sends nothing more: it waits for its answer, or has left. A write tells
    kGone,    ///< a reset, or an error
  };
  Client client() const;

  /// Tells the client that nothing more comes, and reads what it still sends for a moment, so that
  /// the last response is not lost to a reset.
  void linger();

 private:
  const int fd_;
  const std::string peer_;
  const ConnectionTimeouts& timeouts_;
  TimePoint deadline_{};
  uint64_t budget_ = 0;  // bytes that may still be read
  std::array<char, 16384> buffer_;
  size_t begin_ = 0, end_ = 0;  // of what is read and not taken
};

}  // namespace tern::http
