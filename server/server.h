// The server: the listeners of gRPC and HTTP, services, health. Knows the engine's facade and shows
// no gRPC.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/serve/engine.h"
#include "server/api/admin.h"
#include "server/api/convert.h"
#include "server/health_monitor.h"
#include "server/http/gateway.h"
#include "server/metrics/observability.h"

namespace tern {

struct ServerOptions {
  std::vector<std::string> listen = {"127.0.0.1:50051"};  ///< HOST:PORT (0 = any free) or unix:PATH
  uint64_t max_receive_bytes = 16 << 20;                  ///< of one request message; below 2 GiB
  Seconds min_ping_interval{10};  ///< clients may ping this often, calls or not
  bool reflection = true;         ///< grpc.reflection: lets tools list and call the services
  /// Where tern.v1.Admin and Tune answer: as `listen`. "auto" = a unix socket of this user's, named
  /// after the first of `listen` (see admin_address.h); empty = nowhere.
  std::string admin_listen = "auto";
  HealthOptions health;
  http::GatewayOptions http;  ///< http.listen: see http_address.h
  RequestLimits limits;
  metrics::MetricsOptions metrics;
  bool log_prompts = false;  ///< the line of a finished request shows the start of its prompt
  std::map<std::string, std::string> config_summary;  ///< for GetServerInfo
};

/// Any thread.
class Server {
 public:
  /// Binds and answers: health NOT_SERVING, requests UNAVAILABLE (LOADING). kInvalidArgument for an
  /// address that is none; kUnavailable where one cannot be bound, naming it.
  /// `admin` answers what operators ask.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, AdminHandlers admin);

  /// Shuts down at once.
  ~Server();

  /// The addresses of gRPC as bound, with the port in place of 0.
  const std::vector<std::string>& addresses() const;
  const std::vector<std::string>& admin_addresses() const;

  /// Null where the options name no address for it.
  http::Gateway* http();

  void set_load_progress(const std::string& stage, double fraction);

  /// From here on requests go to `engine`, which must outlive this server. Health SERVING, as long
  /// as the engine moves.
  void serve(Engine& engine);

  /// Draining from here on for all who ask for the state, and health NOT_SERVING, so that routers
  /// turn away; requests are still taken.
  void announce_draining();

  /// The same, and new requests get UNAVAILABLE (DRAINING); live ones go on.
  void start_draining();

  /// Generate calls, of gRPC and HTTP, that have not reached their client whole.
  int num_live_calls() const;

  /// All of them since start.
  uint64_t num_calls() const;

  /// Ends what still lives after `grace` and closes the listeners. Idempotent.
  void shutdown(Seconds grace);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern
