// Decides where HTTP is served.
#pragma once

#include <string>
#include <vector>

namespace tern {

struct HttpListen {
  std::vector<std::string> addresses;  ///< none: no HTTP
  /// Nobody asked for these: where they cannot be bound, the server starts without HTTP.
  bool is_default = false;
};

/// What http.listen means: "auto" is 127.0.0.1:8000 where that is free; "off", an empty text or an
/// empty list is nowhere. All else stays as it is.
HttpListen resolve_http_listen(const std::vector<std::string>& setting);

}  // namespace tern
