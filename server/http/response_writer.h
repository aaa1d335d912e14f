// A response as bytes of HTTP/1.1.
#pragma once

#include "server/http/connection.h"
#include "server/http/message.h"

namespace tern::http {

/// What the request leaves open about its response.
struct ResponseFrame {
  bool is_http_1_0 = false;   ///< knows no chunks: a stream ends with the connection
  bool without_body = false;  ///< HEAD
  bool keeps_alive = true;    ///< the connection serves another request
  Seconds idle{0};            ///< and waits so long for it
};

/// The header and the whole body. False where the connection must end: the client is gone, a stream
/// failed, or its end is the connection's.
bool write_response(const Response& response, const ResponseFrame& frame, Connection* connection);

}  // namespace tern::http
