#include "cli/support/client.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "base/mutex.h"
#include "cli/support/diagnose.h"
#include "cli/support/exit_code.h"
#include "cli/support/output.h"
#include "proto/error_reason.h"
#include "tern/v1/admin.grpc.pb.h"
#include "tern/v1/control.grpc.pb.h"
#include "tern/v1/inference.grpc.pb.h"

namespace tern {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(5);
constexpr Seconds kDiagnosisPatience{2.0};
constexpr auto kControlTimeout = std::chrono::seconds(10);
constexpr int kMaxReceiveBytes = 256 << 20;

sigset_t interrupts() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

void set_deadline(std::optional<Seconds> deadline, grpc::ClientContext* context) {
  if (!deadline) return;
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::duration_cast<std::chrono::system_clock::duration>(*deadline));
}

// Waits for Ctrl-C in a thread of its own: a signal handler could not cancel a call.
class Interrupts {
 public:
  explicit Interrupts(std::optional<InterruptHandlers> handlers) : handlers_(std::move(handlers)) {
    const sigset_t set = interrupts();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = std::jthread([this](std::stop_token stop) { wait(stop); });
  }

  /// A call begins or (null) ends: what an interrupt cancels.
  void set_call(grpc::ClientContext* call) {
    const MutexLock lock(mutex_);
    call_ = call;
    if (call_ && interrupted_) call_->TryCancel();
  }

  /// A call is about to begin: where interrupts end calls alone, those that came before are
  /// forgotten.
  void begin() {
    const MutexLock lock(mutex_);
    is_busy_ = true;
    if (handlers_) interrupted_ = false;
  }
  void end() {
    const MutexLock lock(mutex_);
    is_busy_ = false;
  }

  bool interrupted() const {
    const MutexLock lock(mutex_);
    return interrupted_;
  }

 private:
  void wait(const std::stop_token& stop) {
    const sigset_t set = interrupts();
    const timespec tick{.tv_sec = 0, .tv_nsec = 50'000'000};
    while (!stop.stop_requested()) {
      const int signal = sigtimedwait(&set, nullptr, &tick);
      if (signal < 0) continue;
      const MutexLock lock(mutex_);
      const bool again = std::exchange(interrupted_, true);
      if (handlers_ ? signal == SIGTERM : again) end_process();
      if (call_) call_->TryCancel();
      if (handlers_ && !is_busy_) handlers_->on_idle();
    }
  }

  [[noreturn]] void end_process() const {
    if (handlers_ && handlers_->before_end) handlers_->before_end();
    std::_Exit(kExitInterrupted);
  }

  const std::optional<InterruptHandlers> handlers_;
  mutable Mutex mutex_;
  bool is_busy_ TERN_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* call_ TERN_GUARDED_BY(mutex_) = nullptr;
  bool interrupted_ TERN_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace

std::string default_server_address() {
  const char* address = std::getenv("TERN_SERVER");
  return address && *address ? address : "127.0.0.1:50051";
}

int CallStatus::exit_code() const {
  if (interrupted) return kExitInterrupted;
  if (status.ok()) return kExitDone;
  fail(reason.empty() ? status.message() : status.message() + " (" + reason + ")");
  return unreachable ? kExitUnreachable : kExitFailed;
}

struct Client::Impl {
  Impl(std::string where, std::optional<InterruptHandlers> handlers)
      : address(std::move(where)), interrupts(std::move(handlers)) {
    open_channel();
  }

  void open_channel() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // the address is the server's, proxies or not
    // Without it a new channel would inherit how long a failed one waits before it tries again.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    inference = v1::Inference::NewStub(channel);
    control = v1::Control::NewStub(channel);
    admin = v1::Admin::NewStub(channel);
  }

  // Waits until the channel is connected or has failed once, as gRPC itself would try for long.
  // Returns what went wrong, or nothing.
  std::string connect() {
    if (std::string mistake = find_address_mistake(address); !mistake.empty()) return mistake;
    if (has_failed(channel->GetState(false))) open_channel();
    const auto deadline = std::chrono::system_clock::now() + kConnectTimeout;
    for (;;) {
      const grpc_connectivity_state state = channel->GetState(true);
      if (state == GRPC_CHANNEL_READY) return "";
      const auto tick = std::chrono::system_clock::now() + std::chrono::milliseconds(100);
      if (has_failed(state) || tick > deadline) break;
      channel->WaitForStateChange(state, tick);
      if (interrupts.interrupted()) return "interrupted";
    }
    const std::string why = why_unreachable(address, kDiagnosisPatience);
    return why.empty() ? "its peer speaks HTTP/2, but gRPC could not connect" : why;
  }

  static bool has_failed(grpc_connectivity_state state) {
    return state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN;
  }

  // Runs `call(context)`, which blocks until the RPC's end.
  template <class Call>
  CallStatus run(grpc::ClientContext& context, Call&& call) {
    interrupts.begin();
    CallStatus end;
    if (const std::string why = connect(); !why.empty()) {
      end.unreachable = true;
      end.status = unreachable_server(address, why, what_says_where);
    } else {
      interrupts.set_call(&context);
      end = describe(call(context));
      interrupts.set_call(nullptr);
    }
    interrupts.end();
    end.interrupted = interrupts.interrupted() && !end.ok();
    return end;
  }

  // Runs a call whose answer comes at once, with a deadline.
  template <class Call>
  CallStatus ask(Call&& call) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kControlTimeout);
    return run(context, call);
  }

  CallStatus describe(const grpc::Status& status) {
    CallStatus out;
    if (status.ok()) return out;
    out.reason = error_reason(status.error_details());
    out.status = Status(static_cast<Code>(status.error_code()), status.error_message());
    if (!out.reason.empty()) return out;  // tern's own servers always give one
    const std::string said = " (" + status.error_message() + ")";
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
      out.status = Status(Code::kDeadlineExceeded, "the deadline passed before the answer ended");
    // gRPC says CANCELLED where it had not noticed that the connection is gone.
    const bool is_lost =
        status.error_code() == grpc::StatusCode::CANCELLED && !interrupts.interrupted();
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE || is_lost) {
      out.unreachable = true;
      out.status = Status(Code::kUnavailable,
                          "the connection to the tern server at " + address + " broke" + said);
    }
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
      out.unreachable = true;
      out.status = Status(Code::kUnimplemented,
                          "the server at " + address +
                              " does not know this call: it is no tern "
                              "server, an older one, or another of its addresses is meant "
                              "(server.listen serves requests, admin.listen admin calls)");
    }
    return out;
  }

  const std::string address;
  std::string what_says_where = "--server or TERN_SERVER";  // for messages
  Interrupts interrupts;  // before the channel: gRPC's threads inherit the blocked signals
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Inference::Stub> inference;
  std::unique_ptr<v1::Control::Stub> control;
  std::unique_ptr<v1::Admin::Stub> admin;
};

Client::Client(std::string address, std::optional<InterruptHandlers> handlers) {
  gpr_set_log_function([](gpr_log_func_args*) {});  // every failure comes back as a status
  google::protobuf::SetLogHandler(nullptr);
  impl_ = std::make_unique<Impl>(address.empty() ? default_server_address() : std::move(address),
                                 std::move(handlers));
}

Client::Client(const AdminAddress& admin) : Client(admin.address) {
  impl_->what_says_where = "--admin";
}

Client::~Client() = default;

const std::string& Client::address() const {
  return impl_->address;
}

bool Client::is_connected() const {
  return impl_->channel->GetState(false) == GRPC_CHANNEL_READY;
}

bool Client::wait(Seconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  impl_->interrupts.begin();
  while (!impl_->interrupts.interrupted() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  impl_->interrupts.end();
  return !impl_->interrupts.interrupted();
}

CallStatus Client::generate(const v1::GenerateRequest& request, std::optional<Seconds> deadline,
                            const std::function<void(const v1::GenerateEvent&)>& on_event) {
  grpc::ClientContext context;
  set_deadline(deadline, &context);
  return impl_->run(context, [&](grpc::ClientContext& call) {
    auto reader = impl_->inference->Generate(&call, request);
    v1::GenerateEvent event;
    while (reader->Read(&event)) on_event(event);
    return reader->Finish();
  });
}

CallStatus Client::generate_unary(const v1::GenerateRequest& request,
                                  std::optional<Seconds> deadline, v1::GenerateResult* result) {
  grpc::ClientContext context;
  set_deadline(deadline, &context);
  return impl_->run(context, [&](grpc::ClientContext& call) {
    return impl_->inference->GenerateUnary(&call, request, result);
  });
}

CallStatus Client::get_server_info(v1::ServerInfo* info) {
  return impl_->ask(
      [&](grpc::ClientContext& call) { return impl_->control->GetServerInfo(&call, {}, info); });
}

CallStatus Client::get_model_info(v1::ModelInfo* info) {
  return impl_->ask(
      [&](grpc::ClientContext& call) { return impl_->control->GetModelInfo(&call, {}, info); });
}

CallStatus Client::list_models(v1::ListModelsResult* models) {
  return impl_->ask(
      [&](grpc::ClientContext& call) { return impl_->control->ListModels(&call, {}, models); });
}

CallStatus Client::abort(const v1::AbortRequest& request, v1::AbortResult* result) {
  return impl_->ask(
      [&](grpc::ClientContext& call) { return impl_->control->Abort(&call, request, result); });
}

CallStatus Client::drain(const v1::DrainRequest& request,
                         const std::function<void(const v1::DrainProgress&)>& on_progress) {
  grpc::ClientContext context;
  return impl_->run(context, [&](grpc::ClientContext& call) {
    auto reader = impl_->admin->Drain(&call, request);
    v1::DrainProgress progress;
    while (reader->Read(&progress)) on_progress(progress);
    return reader->Finish();
  });
}

CallStatus Client::reload(v1::ReloadConfigResult* result) {
  return impl_->ask(
      [&](grpc::ClientContext& call) { return impl_->admin->ReloadConfig(&call, {}, result); });
}

CallStatus Client::list_requests(v1::ListRequestsResult* result) {
  return impl_->ask(
      [&](grpc::ClientContext& call) { return impl_->admin->ListRequests(&call, {}, result); });
}

CallStatus Client::flush(v1::FlushPrefixCacheResult* result) {
  return impl_->ask(
      [&](grpc::ClientContext& call) { return impl_->admin->FlushPrefixCache(&call, {}, result); });
}

CallStatus Client::set_log_level(const std::string& level, v1::SetLogLevelResult* result) {
  v1::SetLogLevelRequest request;
  request.set_level(level);
  return impl_->ask(
      [&](grpc::ClientContext& call) { return impl_->admin->SetLogLevel(&call, request, result); });
}

CallStatus find_admin(const std::string& server, std::string* admin) {
  if (!admin->empty()) return {};
  Client client(server);
  v1::ServerInfo info;
  CallStatus end = client.get_server_info(&info);
  if (!end.ok()) return end;
  if (info.admin_listen().empty())
    end.status = Status(Code::kFailedPrecondition, "the server at " + client.address() +
                                                       " takes no admin calls: its admin.listen "
                                                       "is empty");
  else
    *admin = info.admin_listen(0);
  return end;
}

}  // namespace tern
