// HTTP as the endpoints see it: no sockets, no library.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/api/api_error.h"

namespace tern::http {

struct Request {
  std::string method;
  std::string path;  ///< decoded, without the query
  std::string body;
  std::map<std::string, std::string> headers;  ///< names in lower case; several are joined by ", "
  std::string id;                              ///< trace_id() of the client's X-Request-Id
  std::string peer;  ///< who asks, for the log: "127.0.0.1:40312", or "unix"

  /// Asks the socket; null where there is none. A client that has closed its sending end only is
  /// not gone.
  std::function<bool()> client_gone;

  /// The client sends nothing more: it waits for the answer, or has left, which only a write tells.
  std::function<bool()> client_silent;

  /// Empty where there is none. `name` in lower case.
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

/// A request id that may stand in a header: 1 to 128 printable ASCII characters, no spaces.
bool is_request_id(std::string_view id);

/// The id that a request goes by in answers and logs: what the client calls it, with '_' for each
/// character that no request id may have, cut after 128; a new one where it gives none.
std::string trace_id(std::string_view from_client);

/// Sends a piece of a streamed body. False: the client is gone or reads nothing any more.
using Write = std::function<bool(std::string_view)>;

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::function<void(const Write&)> stream;  ///< where set, it writes the body, piece by piece;
                                             ///< the request outlives it
  std::shared_ptr<void> keep;                ///< let go of when the whole response is written
  std::optional<ApiError> refusal;  ///< why the request was refused, where no log line tells it yet
};

/// Called by many threads at once; may block.
using Handler = std::function<Response(const Request&)>;

}  // namespace tern::http
