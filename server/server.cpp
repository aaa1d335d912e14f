#include "server/server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include "base/log.h"
#include "server/admin_address.h"
#include "server/api/listen_address.h"
#include "server/grpc/health.h"
#include "server/grpc/services.h"
#include "server/http_address.h"

namespace tern {
namespace {

constexpr int kPingIdleClientsMs = 60'000;
constexpr int kPingTimeoutMs = 20'000;

// What gRPC and protobuf say about single connections and messages is for debugging: the log's
// other levels are ours, and clients must not be able to fill them.
void route_library_logs() {
  gpr_set_log_function([](gpr_log_func_args* args) { spdlog::debug("grpc: {}", args->message); });
  google::protobuf::SetLogHandler(
      [](google::protobuf::LogLevel, const char*, int, const std::string& message) {
        spdlog::debug("protobuf: {}", message);
      });
}

int milliseconds(Seconds s) {
  return static_cast<int>(s.count() * 1e3);
}

void set_channel_arguments(grpc::ServerBuilder& builder, const ServerOptions& options) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_receive_bytes));
  // gRPC shares ports by default: a second server on the same one would start, and take half the
  // calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A client that vanished without closing is found by a ping, and its requests are cancelled.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingIdleClientsMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  // Routers ping idle connections; gRPC's default answers with GOAWAY after a few pings.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             milliseconds(options.min_ping_interval));
}

// Two listeners at one address: gRPC's later one would silently take a unix socket from the earlier
// one.
Status check_distinct(const ServerOptions& options) {
  std::vector<NamedAddress> named;
  const auto add = [&](const std::string& key, const std::string& address) {
    named.push_back({key, address});
    return check_named_once(named).with_context(key);
  };
  for (const std::string& address : options.listen) TERN_TRY(add("server.listen", address));
  const HttpListen http = resolve_http_listen(options.http.listen);
  if (!http.is_default)  // where that is taken, the server does without
    for (const std::string& address : http.addresses) TERN_TRY(add("http.listen", address));
  const Result<std::string> admin = resolve_admin_address(options.admin_listen, options.listen);
  return admin.ok() ? add("admin.listen", *admin) : Status();  // start() tells the failure
}

// Binds every address that `key` names; `bound` gets them with their ports.
Result<std::unique_ptr<grpc::Server>> listen(const char* key, grpc::ServerBuilder& builder,
                                             const std::vector<std::string>& addresses,
                                             std::vector<std::string>* bound) {
  std::vector<int> ports(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) {
    TERN_TRY(check_listen_address(addresses[i]).with_context(key));
    builder.AddListeningPort(addresses[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i] == 0) return cannot_listen(addresses[i]).with_context(key);
    bound->push_back(with_port(addresses[i], ports[i]));
  }
  if (!server) return Status(Code::kUnavailable, "gRPC could not start the server");
  return server;
}

void close(grpc::Server& server, Seconds grace) {
  server.Shutdown(std::chrono::system_clock::now() +
                  std::chrono::duration_cast<std::chrono::system_clock::duration>(grace));
  server.Wait();
}

}  // namespace

struct Server::Impl {
  Impl(const ServerOptions& options, AdminHandlers handlers)
      : state(options.limits),
        observability(options.metrics, state),
        admin_handlers(std::move(handlers)),
        inference(make_inference_service(state)),
        control(make_control_service(state, options.config_summary)),
        admin(make_admin_service(state, admin_handlers)),
        tune(make_tune_service()),
        monitor(options.health, state, [this](bool serving) { health.set_serving(serving); }) {
    state.log_prompts = options.log_prompts;
    services = {inference.get(), control.get(), health.service()};
    admin_services = {admin.get(), tune.get()};
    if (!options.reflection) return;
    reflection =
        make_reflection_services({"tern.v1.Inference", "tern.v1.Control", "grpc.health.v1.Health"});
    admin_reflection = make_reflection_services({"tern.v1.Admin", "tern.v1.Tune"});
    for (const auto& service : reflection) services.push_back(service.get());
    for (const auto& service : admin_reflection) admin_services.push_back(service.get());
  }

  // "auto" may find its port taken: then a warning is all.
  Status start_http(http::GatewayOptions options) {
    const HttpListen listen = resolve_http_listen(options.listen);
    if (listen.addresses.empty()) return {};
    options.listen = listen.addresses;
    Result<std::unique_ptr<http::Gateway>> started = http::Gateway::start(options, state);
    if (!started.ok() && listen.is_default) {
      spdlog::warn("HTTP is off: {}; http.listen (--http) names another address",
                   started.status().message());
      return {};
    }
    if (!started.ok()) return started.status().with_context("http.listen");
    http = *std::move(started);
    for (const metrics::Observability::Route& route : observability.routes())
      http->add_text_route(route.path, route.content_type, route.text);
    return {};
  }

  ServingState state;
  metrics::Observability observability;
  const AdminHandlers admin_handlers;
  std::vector<std::string> addresses, admin_addresses;
  Health health;
  std::unique_ptr<grpc::Service> inference, control, admin, tune;
  std::vector<std::unique_ptr<grpc::Service>> reflection, admin_reflection;
  std::vector<grpc::Service*> services, admin_services;  // of each listener
  std::unique_ptr<grpc::Server> server, admin_server;
  std::unique_ptr<http::Gateway> http;
  HealthMonitor monitor;  // last: it stops first
};

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, AdminHandlers admin) {
  route_library_logs();
  TERN_TRY(check_distinct(options));
  auto impl = std::make_unique<Impl>(options, std::move(admin));
  grpc::ServerBuilder builder;
  set_channel_arguments(builder, options);
  for (grpc::Service* service : impl->services) builder.RegisterService(service);
  TERN_ASSIGN(impl->server, listen("server.listen", builder, options.listen, &impl->addresses));

  TERN_ASSIGN(const std::string admin_address,
              resolve_admin_address(options.admin_listen, impl->addresses));
  if (!admin_address.empty()) {
    grpc::ServerBuilder admin_builder;
    set_channel_arguments(admin_builder, options);
    for (grpc::Service* service : impl->admin_services) admin_builder.RegisterService(service);
    TERN_ASSIGN(impl->admin_server,
                listen("admin.listen", admin_builder, {admin_address}, &impl->admin_addresses));
  }
  TERN_TRY(impl->start_http(options.http));
  const auto absolute = [](std::vector<std::string> addresses) {
    for (std::string& address : addresses) address = absolute_address(address);
    return addresses;
  };
  impl->state.set_listen(absolute(impl->addresses), absolute(impl->admin_addresses));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  shutdown(Seconds(0));
}

const std::vector<std::string>& Server::addresses() const {
  return impl_->addresses;
}

http::Gateway* Server::http() {
  return impl_->http.get();
}

void Server::set_load_progress(const std::string& stage, double fraction) {
  impl_->state.set_load_progress(stage, fraction);
}

const std::vector<std::string>& Server::admin_addresses() const {
  return impl_->admin_addresses;
}

void Server::serve(Engine& engine) {
  impl_->state.set_engine(engine);
  impl_->monitor.watch(engine);
}

void Server::announce_draining() {
  impl_->state.announce_draining();
  impl_->monitor.update();
}

void Server::start_draining() {
  impl_->state.start_draining();
  impl_->monitor.update();
}

int Server::num_live_calls() const {
  return impl_->state.num_live_calls();
}

uint64_t Server::num_calls() const {
  return impl_->state.num_calls_created;
}

void Server::shutdown(Seconds grace) {
  start_draining();
  impl_->state.close();
  impl_->health.shutdown();
  if (impl_->http) impl_->http->shutdown(grace);
  close(*impl_->server, grace);
  if (impl_->admin_server) close(*impl_->admin_server, grace);
}

}  // namespace tern
