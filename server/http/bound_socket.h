// A socket that listens.
#pragma once

#include <string>

#include "base/status.h"

namespace tern::http {

/// Binds and listens at construction, closes at destruction (and removes a unix socket's file).
class BoundSocket {
 public:
  /// `address`: HOST:PORT, [IPV6]:PORT or unix:PATH. kInvalidArgument where it is none of them;
  /// kUnavailable where it cannot be bound, naming it.
  static Result<BoundSocket> bind(const std::string& address);

  BoundSocket(BoundSocket&& other) noexcept;
  BoundSocket& operator=(BoundSocket&&) = delete;
  ~BoundSocket();

  int fd() const { return fd_; }                           ///< does not block
  const std::string& address() const { return address_; }  ///< the port in place of 0

 private:
  BoundSocket(int fd, std::string address) : fd_(fd), address_(std::move(address)) {}

  int fd_;
  std::string address_;
};

}  // namespace tern::http
