// One request of a connection and its response.
#pragma once

#include <functional>
#include <optional>

#include "server/http/connection.h"
#include "server/http/request_parser.h"

namespace tern::http {

/// Handles one exchange, from a request's first byte to its response's last. One thread.
class Exchange {
 public:
  /// What becomes of the connection.
  enum class After {
    kKeep,    ///< it may serve another request
    kClose,   ///< nothing more comes
    kLinger,  ///< close it, after a moment: the client may still be sending
  };

  /// All must outlive it.
  Exchange(Connection& connection, const ListenerOptions& options, const Handler& handler,
           const ListenerHooks& hooks)
      : connection_(connection),
        options_(options),
        handler_(handler),
        hooks_(hooks),
        parser_(options.max_body_bytes) {}

  /// `closes`: whatever the client wants. `on_whole` is called when the request has been read.
  After run(bool closes, const std::function<void()>& on_whole);

 private:
  std::optional<Refusal> read_until(bool (RequestParser::*is_there)() const);
  std::optional<Refusal> read_body();
  std::optional<Refusal> check_expectation();
  After refuse(const Refusal& refusal);
  bool send(const Request& request, Response response, bool keeps_alive);
  Request complete(Request request);
  bool is_gone();
  bool still_reads();

  Connection& connection_;
  const ListenerOptions& options_;
  const Handler& handler_;
  const ListenerHooks& hooks_;
  RequestParser parser_;
  std::optional<Response> early_response_;  // the hook's, where it refuses the header
  bool response_begun_ = false;
  TimePoint last_probe_{};
};

}  // namespace tern::http
