// The least that a gRPC server of ternd's shape costs: the callback API, tern.v1's messages, a tick
// in place of an engine, and nothing else. And a client that asks for unary answers as fast as they
// come.
//   bare_grpc serve TICK_US          prints its address; each tick is a token for every live stream
//   bare_grpc ask ADDRESS SECONDS    64 unary calls at a time; prints calls a second
// For bench/overhead/run.py.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "tern/v1/control.grpc.pb.h"
#include "tern/v1/inference.grpc.pb.h"

namespace v1 = tern::v1;

namespace {

class Ticked {
 public:
  virtual ~Ticked() = default;
  virtual void on_tick() = 0;
};

// Calls everyone who is there once a tick, from one thread, as an engine does.
class Ticker {
 public:
  explicit Ticker(std::chrono::microseconds tick) : tick_(tick), thread_([this] { run(); }) {}
  void add(Ticked* one) {
    std::lock_guard lock(mutex_);
    live_.insert(one);
    changed_.notify_one();
  }
  void remove(Ticked* one) {
    std::lock_guard lock(mutex_);
    live_.erase(one);
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !live_.empty(); });
      lock.unlock();
      std::this_thread::sleep_for(tick_);
      lock.lock();
      const std::unordered_set<Ticked*> now = live_;
      for (Ticked* one : now) one->on_tick();
    }
  }

  const std::chrono::microseconds tick_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_set<Ticked*> live_;
  std::thread thread_;
};

class Stream final : public grpc::ServerWriteReactor<v1::GenerateEvent>, public Ticked {
 public:
  Stream(Ticker& ticker, const v1::GenerateRequest& request)
      : ticker_(ticker), total_(request.sampling().stopping().max_tokens()), left_(total_) {
    v1::Accepted& accepted = *event_.mutable_accepted();
    accepted.set_request_id("01a21b7f-c379-7831-9536-8d8adcb78a02");
    accepted.set_model("bare");
    accepted.set_prompt_tokens(static_cast<uint32_t>(request.token_ids().ids_size()));
    accepted.set_max_tokens(left_);
    StartWrite(&event_);
    ticker_.add(this);
  }

  void on_tick() override {
    std::lock_guard lock(mutex_);
    if (busy_) return ++waiting_, void();
    write();
  }
  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    busy_ = false;
    if (ok && waiting_ > 0) {
      --waiting_;
      write();
    }
  }
  void OnDone() override {
    ticker_.remove(this);
    delete this;
  }

 private:
  void write() {
    if (left_ == 0) return;
    busy_ = true;
    event_.Clear();
    if (--left_ > 0) {
      v1::Delta& delta = *event_.mutable_delta();
      delta.set_text("a");
      delta.add_token_ids(97);
      delta.set_num_tokens(1);
      return StartWrite(&event_);
    }
    v1::Finished& finished = *event_.mutable_finished();
    finished.set_reason(v1::FINISH_REASON_LENGTH);
    finished.mutable_usage()->set_completion_tokens(total_);
    StartWriteAndFinish(&event_, {}, grpc::Status::OK);
  }

  Ticker& ticker_;
  std::mutex mutex_;
  v1::GenerateEvent event_;
  const uint32_t total_;
  uint32_t left_;
  int waiting_ = 0;
  bool busy_ = true;
};

class Unary final : public grpc::ServerUnaryReactor, public Ticked {
 public:
  Unary(Ticker& ticker, v1::GenerateResult* result) : ticker_(ticker), result_(result) {
    ticker_.add(this);
  }
  void on_tick() override {
    if (answered_) return;
    answered_ = true;
    result_->mutable_accepted()->set_model("bare");
    v1::Output& output = *result_->add_outputs();
    output.set_text("a");
    output.mutable_finished()->set_reason(v1::FINISH_REASON_LENGTH);
    Finish(grpc::Status::OK);
  }
  void OnDone() override {
    ticker_.remove(this);
    delete this;
  }

 private:
  Ticker& ticker_;
  v1::GenerateResult* const result_;
  bool answered_ = false;  // the ticker's
};

class Service final : public v1::Inference::CallbackService {
 public:
  explicit Service(std::chrono::microseconds tick) : ticker_(tick) {}
  grpc::ServerWriteReactor<v1::GenerateEvent>* Generate(grpc::CallbackServerContext*,
                                                        const v1::GenerateRequest* in) override {
    return new Stream(ticker_, *in);
  }
  grpc::ServerUnaryReactor* GenerateUnary(grpc::CallbackServerContext*, const v1::GenerateRequest*,
                                          v1::GenerateResult* out) override {
    return new Unary(ticker_, out);
  }

 private:
  Ticker ticker_;
};

// What a load generator asks first.
class ControlService final : public v1::Control::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest*,
                                          v1::ServerInfo* info) override {
    info->set_state(v1::SERVER_STATE_SERVING);
    info->set_model("bare");
    return done(context);
  }
  grpc::ServerUnaryReactor* GetModelInfo(grpc::CallbackServerContext* context,
                                         const v1::GetModelInfoRequest*,
                                         v1::ModelInfo* info) override {
    info->set_name("bare");
    info->set_vocab_size(256);
    info->set_max_model_len(4096);
    return done(context);
  }

 private:
  static grpc::ServerUnaryReactor* done(grpc::CallbackServerContext* context) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

int serve(int tick_us) {
  Service service{std::chrono::microseconds(tick_us)};
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  ControlService control;
  builder.RegisterService(&control);
  const auto server = builder.BuildAndStart();
  std::printf("127.0.0.1:%d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}

// One of the calls that are always under way.
struct Asker {
  v1::Inference::Stub& stub;
  const v1::GenerateRequest& request;
  const std::atomic<bool>& stop;
  std::atomic<int64_t>& count;
  std::atomic<int>& live;
  std::unique_ptr<grpc::ClientContext> context = {};
  v1::GenerateResult result = {};

  void ask() {
    context = std::make_unique<grpc::ClientContext>();
    stub.async()->GenerateUnary(
        context.get(), &request, &result, [this](const grpc::Status& status) {
          if (!status.ok()) {
            std::fprintf(stderr, "bare_grpc: %s\n", status.error_message().c_str());
            std::_Exit(1);
          }
          ++count;
          if (stop)
            --live;
          else
            ask();
        });
  }
};

int ask(const char* address, double seconds) {
  constexpr int kAtOnce = 64;
  const auto stub =
      v1::Inference::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  v1::GenerateRequest request;
  for (int i = 0; i < 16; ++i) request.mutable_token_ids()->add_ids(97);
  request.mutable_sampling()->mutable_stopping()->set_max_tokens(1);
  std::atomic<bool> stop{false};
  std::atomic<int64_t> count{0};
  std::atomic<int> live{kAtOnce};
  std::vector<std::unique_ptr<Asker>> askers;
  for (int i = 0; i < kAtOnce; ++i) {
    askers.push_back(std::unique_ptr<Asker>(new Asker{*stub, request, stop, count, live}));
    askers.back()->ask();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // connected and warm
  const int64_t begin = count;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  std::printf("%.1f\n", double(count - begin) / seconds);
  stop = true;
  while (live > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && !std::strcmp(argv[1], "serve")) return serve(std::atoi(argv[2]));
  if (argc == 4 && !std::strcmp(argv[1], "ask")) return ask(argv[2], std::atof(argv[3]));
  std::fprintf(stderr, "usage: bare_grpc serve TICK_US | bare_grpc ask ADDRESS SECONDS\n");
  return 2;
}
