// A server on a free port with a fake engine behind it, and a client's view of its errors.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "base/log.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/server.h"
#include "tern/v1/control.grpc.pb.h"
#include "tern/v1/inference.grpc.pb.h"
#include "tests/support/fake_engine.h"

namespace tern {

/// The detail of type T in a status, or an empty T.
template <class T>
T detail(const grpc::Status& status) {
  google::rpc::Status details;
  T found;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details())
    if (any.Is<T>()) any.UnpackTo(&found);
  return found;
}

inline std::string reason(const grpc::Status& status) {
  return detail<google::rpc::ErrorInfo>(status).reason();
}

inline std::string bad_field_of(const grpc::Status& status) {
  const auto bad = detail<google::rpc::BadRequest>(status);
  return bad.field_violations_size() == 1 ? bad.field_violations(0).field() : "";
}

inline ServerOptions any_port() {
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.admin_listen.clear();
  return options;
}

struct Wire {
  explicit Wire(const ServerOptions& options = any_port(), bool with_text = true,
                bool serving = true, AdminHandlers admin = {})
      : engine(with_text) {
    spdlog::set_level(spdlog::level::off);  // a line a request
    Result<std::unique_ptr<Server>> started = Server::start(options, std::move(admin));
    TERN_CHECK(started.ok(), started.status().message());
    server = *std::move(started);
    if (serving) server->serve(engine);
    channel = new_channel();
    inference = v1::Inference::NewStub(channel);
    control = v1::Control::NewStub(channel);
  }
  ~Wire() {
    engine.shutdown();
    server->shutdown(Seconds(5));
  }

  std::shared_ptr<grpc::Channel> new_channel() const {
    return grpc::CreateChannel(server->addresses().at(0), grpc::InsecureChannelCredentials());
  }

  /// Runs a streaming call to its end; the events' texts come back in `text`.
  grpc::Status generate(const v1::GenerateRequest& request, std::string* text = nullptr) {
    grpc::ClientContext context;
    auto reader = inference->Generate(&context, request);
    v1::GenerateEvent event;
    while (reader->Read(&event))
      if (text) text->append(event.delta().text());
    return reader->Finish();
  }

  FakeEngine engine;
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Inference::Stub> inference;
  std::unique_ptr<v1::Control::Stub> control;
};

inline v1::GenerateRequest text_request(const std::string& text, int max_tokens) {
  v1::GenerateRequest request;
  request.set_text(text);
  request.mutable_sampling()->mutable_stopping()->set_max_tokens(max_tokens);
  return request;
}

}  // namespace tern
