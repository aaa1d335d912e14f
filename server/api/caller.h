// Who sent a request, as the log shows it.
#pragma once

#include <string>
#include <string_view>

namespace tern {

struct Caller {
  std::string peer = "-";   ///< "127.0.0.1:40312", "[::1]:40312" or "unix"
  std::string traceparent;  ///< as valid_traceparent() returns it
  std::string trace_id;     ///< what the client calls the request; shown where it has no id yet
  /// The id is for traces, and a client may give it to several requests: where a live request has
  /// it, this one gets it with something behind it. Else it is refused.
  bool shares_id = false;
};

/// `header` where it is a traceparent of W3C's Trace Context, else empty.
std::string valid_traceparent(std::string_view header);

}  // namespace tern
