// A client of one tern server. Shows no gRPC.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "tern/v1/admin.pb.h"
#include "tern/v1/control.pb.h"
#include "tern/v1/inference.pb.h"

namespace tern {

/// $TERN_SERVER, else 127.0.0.1:50051.
std::string default_server_address();

/// The end of a call.
struct CallStatus {
  Status status;
  std::string reason;        ///< ErrorInfo.reason, or empty
  bool unreachable = false;  ///< no tern server answered, or the connection broke
  bool interrupted = false;  ///< by Ctrl-C

  bool ok() const { return status.ok(); }

  /// Prints what went wrong, where anything did, and gives the command's exit code.
  int exit_code() const;
};

/// What a program does that goes on after an interrupt. Both are called by a thread of the
/// client's.
struct InterruptHandlers {
  std::function<void()> on_idle;     ///< Ctrl-C while no call is in progress
  std::function<void()> before_end;  ///< SIGTERM, which ends the process right after; may be empty
};

/// Where a server takes admin calls.
struct AdminAddress {
  std::string address;
};

/// One call at a time. From construction to destruction Ctrl-C (and SIGTERM) cancels the call in
/// progress; the second one ends the process. Make it before any other thread.
class Client {
 public:
  /// `address`: HOST:PORT or unix:PATH; empty: $TERN_SERVER, else 127.0.0.1:50051. With `handlers`
  /// Ctrl-C ends the call in progress and nothing else, however often it comes.
  explicit Client(std::string address, std::optional<InterruptHandlers> handlers = {});
  /// Of a server's admin address, see find_admin().
  explicit Client(const AdminAddress& admin);
  ~Client();

  const std::string& address() const;

  /// The connection of earlier calls is there, as far as is known; else the next call makes one.
  bool is_connected() const;

  /// Lets `duration` pass between two calls. False where Ctrl-C came: at once then.
  bool wait(Seconds duration);

  /// Streams; `on_event` gets every event in order.
  CallStatus generate(const v1::GenerateRequest& request, std::optional<Seconds> deadline,
                      const std::function<void(const v1::GenerateEvent&)>& on_event);

  /// Generates, with the answer in one message.
  CallStatus generate_unary(const v1::GenerateRequest& request, std::optional<Seconds> deadline,
                            v1::GenerateResult* result);

  CallStatus get_server_info(v1::ServerInfo* info);
  CallStatus get_model_info(v1::ModelInfo* info);
  CallStatus list_models(v1::ListModelsResult* models);
  CallStatus abort(const v1::AbortRequest& request, v1::AbortResult* result);

  // These are for a client of the admin address, see find_admin().
  CallStatus drain(const v1::DrainRequest& request,
                   const std::function<void(const v1::DrainProgress&)>& on_progress);
  CallStatus reload(v1::ReloadConfigResult* result);
  CallStatus list_requests(v1::ListRequestsResult* result);
  CallStatus flush(v1::FlushPrefixCacheResult* result);
  CallStatus set_log_level(const std::string& level, v1::SetLogLevelResult* result);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The address where the server at `server` (as of Client) takes admin calls; `admin` stays as it
/// is where it is not empty. kFailedPrecondition where the server takes none.
CallStatus find_admin(const std::string& server, std::string* admin);

}  // namespace tern
