// Accepts connections, gives each a thread and its requests to one handler.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "server/http/message.h"

namespace tern::http {

/// Waits of a connection. A client that sends a byte now and then gets no more time by it.
struct ConnectionTimeouts {
  Seconds idle{15};    ///< between two requests
  Seconds header{10};  ///< a request's first byte to the end of its header
  Seconds body{60};    ///< a request's body
  Seconds write{30};   ///< until a client that reads nothing is given up
};

struct ListenerOptions {
  std::vector<std::string> listen;  ///< HOST:PORT (0 = any free), [IPV6]:PORT or unix:PATH
  int32_t num_threads = 64;         ///< connections that are served at once; others wait
  uint64_t max_body_bytes = 16 << 20;
  ConnectionTimeouts timeouts;
};

/// What a listener asks besides its handler; each may be null. Called by many threads at once.
struct ListenerHooks {
  /// Shown a request without its body, whose client waits for "100 Continue" before it sends that:
  /// the refusal, where the body would not be read.
  std::function<std::optional<Response>(const Request&)> check_header;
  /// Completes every response, refusals of what is no HTTP too: of such a request is known what had
  /// been read.
  std::function<void(const Request&, Response*)> complete;
};

/// Any thread.
class Listener {
 public:
  /// `handler` must not block more than num_threads less a reserve of its calls: a connection holds
  /// its thread while it is answered. What it throws becomes a 500. Errors as
  /// BoundSocket::bind().
  static Result<std::unique_ptr<Listener>> start(const ListenerOptions& options, Handler handler,
                                                 ListenerHooks hooks = {});

  /// Shuts down at once.
  ~Listener();

  /// The addresses as bound, with the port in place of 0.
  const std::vector<std::string>& addresses() const;

  /// Accepts nothing more and ends what still lives after `grace`. Idempotent.
  void shutdown(Seconds grace);

 private:
  class Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern::http
