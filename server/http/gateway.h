// The OpenAI-compatible HTTP server: routes, and how many answers are given at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace tern {
class ServingState;
}

namespace tern::http {

struct GatewayOptions {
  std::vector<std::string> listen;        ///< HOST:PORT (0 = any free) or unix:PATH; none: no HTTP
  uint64_t max_body_bytes = 16 << 20;     ///< of one request
  int32_t max_streams = 256;              ///< completions at once; more are refused
  std::string cors_origin;                ///< Access-Control-Allow-Origin; empty: none
  std::string unknown_fields = "refuse";  ///< or "warn": passed over, and named in a header
};

/// Any thread. docs/http-api.md has the endpoints.
class Gateway {
 public:
  /// Binds and answers; what needs a model says 503 until `state` has one. `state` must outlive
  /// this. Errors as Server::start.
  static Result<std::unique_ptr<Gateway>> start(const GatewayOptions& options, ServingState& state);

  /// Shuts down at once.
  ~Gateway();

  /// The addresses as bound, with the port in place of 0.
  const std::vector<std::string>& addresses() const;

  /// GET `path` answers what `text` returns, with this content type. `text` is called by several
  /// threads at once, until shutdown() returns, and must be quick: it may be called while all
  /// streams are taken. A path that is there gets the new text.
  void add_text_route(const std::string& path, const std::string& content_type,
                      std::function<std::string()> text);

  /// Accepts nothing more; responses that are still written end after `grace`. Idempotent; one
  /// thread.
  void shutdown(Seconds grace);

 private:
  class Impl;
  explicit Gateway(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern::http
