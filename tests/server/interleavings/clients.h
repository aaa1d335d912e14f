// Clients of one server, each with the transport's part that does not need a socket: gRPC's streams
// (EventQueue) and unary calls, and HTTP's answers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/api/event_queue.h"
#include "server/http/answers.h"
#include "tests/server/interleavings/watched_engine.h"

namespace tern {

/// What all clients of a scenario share.
struct Service {
  Scenario& scenario;
  WatchedEngine& engine;
  ServingState& state;
};

class Client {
 public:
  explicit Client(Service& service) : service_(service) {}
  virtual ~Client() = default;

  /// False where it was refused: then there is nothing more to do.
  virtual bool submit(const v1::GenerateRequest& request,
                      const std::optional<TimePoint>& deadline) = 0;

  /// Takes one piece of what has come.
  virtual void read() = 0;

  /// Closes the connection; again and again, if need be.
  virtual void leave() = 0;

  /// The transport has let go of it, after all that had come was read.
  virtual bool is_done() const = 0;

  /// Calls that it must not have released yet.
  virtual int num_calls() const = 0;

  const std::vector<std::shared_ptr<Known>>& requests() const { return requests_; }
  bool is_live() const;

 protected:
  std::optional<ApiError> submit(Call& call, const v1::GenerateRequest& request,
                                 const std::optional<TimePoint>& deadline,
                                 std::shared_ptr<TokenSink> sink);
  void expect(bool ok, const char* what) const { service_.scenario.expect(ok, what); }
  void kept_up();
  void check_left() const;

  /// `texts` by answer; `error` is how the client sees the end.
  void check_end(const Known& known, const std::vector<std::string>& texts,
                 const std::optional<ApiError>& error) const;

  Service& service_;
  std::vector<std::shared_ptr<Known>> requests_;
};

enum class ClientKind : uint8_t { kStream, kUnary, kHttp };
std::shared_ptr<Client> make_client(ClientKind kind, Service& service);

}  // namespace tern
