// The socket of one client, as the HTTP library reads and writes it: every wait and every size has
// a limit.
#pragma once

#include <httplib.h>

#include <array>
#include <string>

#include "base/clock.h"
#include "server/http/listener.h"

namespace tern::http {

/// One thread, but for what is said at peer_gone().
class Connection final : public httplib::Stream {
 public:
  /// `fd` stays the caller's.
  Connection(int fd, const ConnectionTimeouts& timeouts) : fd_(fd), timeouts_(timeouts) {}

  int fd() const { return fd_; }

  /// The next request has begun to come in already.
  bool has_unread() const { return begin_ < end_; }

  /// The phases of a request: each sets how long and how many bytes reading may take.
  void begin_header();
  void begin_body(uint64_t max_bytes);

  /// What is unread belongs to no request: the connection cannot serve another.
  void set_unusable() { unusable_ = true; }
  bool unusable() const { return unusable_; }

  /// The client has closed its end. Any thread, while the socket is open.
  bool peer_gone() const;

  /// Tells the client that nothing more comes, and reads what it still sends for a moment, so that
  /// the last response is not lost to a reset.
  void linger();

  // httplib::Stream
  bool is_readable() const override;
  bool is_writable() const override { return !peer_gone(); }
  ssize_t read(char* out, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  int socket() const override { return 0; }  // asked only whether select() could take it

 private:
  bool fill();

  const int fd_;
  const ConnectionTimeouts& timeouts_;
  TimePoint deadline_{};
  uint64_t budget_ = 0;  // bytes that may still be read
  bool unusable_ = false;
  std::array<char, 16384> buffer_;
  size_t begin_ = 0, end_ = 0;  // of what is read and not taken
};

}  // namespace tern::http
