// HTTP as the endpoints see it: no sockets, no library.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::http {

struct Request {
  std::string method;
  std::string path;  ///< decoded, without the query
  std::string body;
  std::map<std::string, std::string> headers;  ///< names in lower case; of several the first
  std::function<bool()> client_gone;           ///< asks the socket; null where there is none

  /// Empty where there is none. `name` in lower case.
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

/// A request id that may stand in a header: 1 to 128 printable ASCII characters, no spaces.
bool is_request_id(std::string_view id);

/// Sends a piece of a streamed body. False: the client is gone or reads nothing any more.
using Write = std::function<bool(std::string_view)>;

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::function<void(const Write&)> stream;  ///< where set, it writes the body, piece by piece
  std::shared_ptr<void> keep;                ///< let go of when the whole response is written
};

/// Called by many threads at once; may block.
using Handler = std::function<Response(const Request&)>;

}  // namespace tern::http
