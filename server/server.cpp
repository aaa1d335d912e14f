#include "server/server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include "base/log.h"
#include "server/api/listen_address.h"
#include "server/grpc/health.h"
#include "server/grpc/services.h"

namespace tern {
namespace {

constexpr int kPingIdleClientsMs = 60'000;
constexpr int kPingTimeoutMs = 20'000;

// The reflection plug-in enters every server of the process: an operator's `false` takes it out.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& p) { return p->name() == "proto_server_reflection"; });
  }
};

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

}  // namespace

struct Server::Impl {
  explicit Impl(const ServerOptions& options)
      : state(options.limits),
        inference(make_inference_service(state)),
        control(make_control_service(state, options.config_summary)) {}

  ServingState state;
  std::vector<std::string> addresses;
  Health health;
  std::unique_ptr<grpc::Service> inference, control;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<http::Gateway> http;
};

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options) {
  route_library_logs();
  auto impl = std::make_unique<Impl>(options);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();  // before the builder copies the list
  grpc::ServerBuilder builder;
  set_channel_arguments(builder, options);
  std::vector<int> ports(options.listen.size());
  for (size_t i = 0; i < options.listen.size(); ++i) {
    TERN_TRY(check_listen_address(options.listen[i]));
    builder.AddListeningPort(options.listen[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  builder.RegisterService(impl->inference.get());
  builder.RegisterService(impl->control.get());
  builder.RegisterService(impl->health.service());
  if (!options.reflection) builder.SetOption(std::make_unique<WithoutReflection>());
  impl->server = builder.BuildAndStart();
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i] == 0) return cannot_listen(options.listen[i]);
    impl->addresses.push_back(with_port(options.listen[i], ports[i]));
  }
  if (!impl->server) return Status(Code::kUnavailable, "gRPC could not start the server");
  if (!options.http.listen.empty()) {
    Result<std::unique_ptr<http::Gateway>> http = http::Gateway::start(options.http, impl->state);
    if (!http.ok()) return http.status().with_context("http.listen");
    impl->http = *std::move(http);
  }
  impl->state.set_listen(impl->addresses);
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

void Server::serve(Engine& engine) {
  impl_->state.set_engine(engine);
  impl_->health.set_serving(true);
}

void Server::start_draining() {
  impl_->health.set_serving(false);
  impl_->state.start_draining();
}

int Server::num_live_calls() const {
  return impl_->state.num_live_calls;
}

void Server::shutdown(Seconds grace) {
  start_draining();
  impl_->health.shutdown();
  if (impl_->http) impl_->http->shutdown(grace);
  impl_->server->Shutdown(std::chrono::system_clock::now() +
                          std::chrono::duration_cast<std::chrono::system_clock::duration>(grace));
  impl_->server->Wait();
}

}  // namespace tern
