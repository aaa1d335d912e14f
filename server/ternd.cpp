// The daemon: binds, loads the model, serves until a signal, drains.
#include <CLI/CLI.hpp>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>

#include "base/cpu_info.h"
#include "base/cpu_plan.h"
#include "base/log.h"
#include "server/config.h"
#include "server/load_log.h"

namespace tern {
namespace {

constexpr Seconds kCloseGrace{2.0};  // for the last bytes of ended calls

struct Arguments {
  std::string config_file, model, listen, http, chat_template;
  std::vector<std::string> set;
  bool check = false, print_config = false;
};

// File, then --set, then the shorthands: the later wins.
Result<Config> make_config(const Arguments& arguments) {
  Config config;
  if (!arguments.config_file.empty()) TERN_TRY(load_config(arguments.config_file, config));
  for (const std::string& assignment : arguments.set) TERN_TRY(set_config(assignment, config));
  if (!arguments.model.empty()) config.engine.model_dir = arguments.model;
  if (!arguments.listen.empty()) config.server.listen = {arguments.listen};
  if (!arguments.http.empty()) config.server.http.listen = {arguments.http};
  if (!arguments.chat_template.empty()) config.engine.chat_template_file = arguments.chat_template;
  return config;
}

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// SIGTERM and SIGINT, counted by a thread of their own. Make it before any other thread.
class StopSignals {
 public:
  StopSignals() {
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = std::thread([this] { receive(); });
  }
  ~StopSignals() {
    closing_ = true;
    pthread_kill(thread_.native_handle(), SIGTERM);  // blocked everywhere: only ends its sigwait
    thread_.join();
  }
  StopSignals(const StopSignals&) = delete;

  void wait_for_first() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return count_ > 0; });
  }

  /// Waits until `count` signals have come or `done()`, at most `timeout`. True where the signals
  /// have.
  template <class Done>
  bool wait(int count, Seconds timeout, Done&& done) {
    const auto deadline = std::chrono::steady_clock::now() + to_duration(timeout);
    std::unique_lock lock(mutex_);
    while (count_ < count && !done() && std::chrono::steady_clock::now() < deadline)
      changed_.wait_for(lock, kTick);  // done() changes without telling
    return count_ >= count;
  }

 private:
  static constexpr std::chrono::milliseconds kTick{20};

  void receive() {
    const sigset_t set = stop_signals();
    for (int signal = 0; sigwait(&set, &signal) == 0 && !closing_;) {
      std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;  // guarded by mutex_
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

constexpr Seconds kForever{1e9};

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// Scripts wait for this line, whatever the log level.
void announce(Server& server, const ModelInfo& info) {
  std::cerr << "ternd ready: listening on " << join(server.addresses());
  if (const http::Gateway* http = server.http())
    std::cerr << ", HTTP on " << join(http->addresses());
  std::cerr << ", model " << info.name << ", " << info.num_parameters << " parameters ("
            << info.weight_format << "), context " << info.max_model_len << " tokens" << std::endl;
}

// New requests are refused; live ones finish, until the timeout or the second signal ends them.
void drain(Server& server, Engine& engine, StopSignals& signals, Seconds timeout) {
  spdlog::info("draining: {} live requests, at most {:.0f} s", server.num_live_calls(),
               timeout.count());
  server.start_draining();
  engine.start_draining();
  signals.wait(2, timeout, [&] { return server.num_live_calls() == 0; });
  if (const int left = server.num_live_calls()) spdlog::warn("ending {} live requests", left);
  engine.shutdown();
  server.shutdown(kCloseGrace);
  spdlog::info("ternd stopped");
}

// create_engine(), with what the libraries below it throw as a Status: this runs in its own thread.
Result<std::unique_ptr<Engine>> load(const EngineConfig& config, Server& server) {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  LoadLog log(now());
  try {
    auto engine = create_engine(config, [&](const LoadProgress& progress) {
      server.set_load_progress(progress.stage, progress.fraction());
      if (const std::string line = log.on_progress(progress, now()); !line.empty())
        spdlog::info("{}", line);
    });
    if (engine.ok() && !config.simulate) spdlog::info("loaded: {}", log.summary(now()));
    return engine;
  } catch (const std::exception& error) {
    return Status(Code::kInternal, std::string("loading failed: ") + error.what());
  }
}

// 0 after a signal, 1 where it cannot serve.
int serve(Config config) {
  StopSignals signals;
  config.server.config_summary = summarize(config);
  if (config.engine.num_threads == 0)
    config.engine.num_threads = serving_threads(cpu_info().num_cpus);
  // gRPC's threads, started from here, stay off the CPUs that compute.
  (void)bind_thread(plan_cpus(cpu_info().cpus, config.engine.num_threads).others);
  // Bound before the model is loaded: a port in use is known at once, and health is answered.
  Result<std::unique_ptr<Server>> server = Server::start(config.server);
  if (!server.ok()) {
    spdlog::error("{}", server.status().message());
    return 1;
  }
  spdlog::info("ternd {} listening on {}, loading {}", TERN_VERSION, join((*server)->addresses()),
               config.engine.simulate ? "the simulated model" : config.engine.model_dir);

  std::optional<Result<std::unique_ptr<Engine>>> engine;
  std::atomic<bool> loaded{false};
  std::thread loader([&] {
    engine.emplace(load(config.engine, **server));
    loaded = true;
  });
  if (signals.wait(1, kForever, [&] { return loaded.load(); })) {
    spdlog::info("stopped while loading");
    (*server)->shutdown(kCloseGrace);
    std::_Exit(0);  // the loader cannot be interrupted
  }
  loader.join();
  if (!engine->ok()) {
    spdlog::error("{}", engine->status().message());
    return 1;
  }
  Engine& running = ***engine;
  (*server)->serve(running);
  announce(**server, running.model_info());
  signals.wait_for_first();
  drain(**server, running, signals, config.drain_timeout);
  server = Status(Code::kCancelled, "stopped");  // before the engine that its calls refer to
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Serves a language model over gRPC and HTTP.", "ternd");
  app.set_version_flag("--version", "ternd " TERN_VERSION);
  Arguments arguments;
  app.add_option("--config", arguments.config_file,
                 "YAML file; configs/ternd.yaml lists every key");
  app.add_option("--set", arguments.set, "key.path=value, over the file; repeatable")
      ->expected(1)
      ->take_all();
  app.add_option("--model", arguments.model, "Shorthand for model.path");
  app.add_option("--listen", arguments.listen, "Shorthand for server.listen");
  app.add_option("--http", arguments.http, "Shorthand for http.listen");
  app.add_option("--chat-template", arguments.chat_template, "Shorthand for model.chat_template");
  app.add_flag("--check", arguments.check, "Check the configuration and leave");
  app.add_flag("--print-config", arguments.print_config,
               "Print the configuration in force and leave");
  app.footer("Example:\n  ternd --model tern-stories --listen 127.0.0.1:50051");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::cerr << "ternd: " << error.what() << "\nSee 'ternd --help'." << std::endl;
    return 2;
  }

  Result<Config> config = make_config(arguments);
  Status status = config.status();
  if (status.ok() && arguments.print_config) {
    std::cout << print_config(*config);
    return 0;
  }
  if (status.ok()) status = check_config(*config);
  if (status.ok() && !arguments.check) status = init_logging(config->log_level);
  if (!status.ok()) {
    std::cerr << "ternd: " << status.message() << std::endl;
    return 1;
  }
  if (arguments.check) {
    std::cout << "configuration ok" << std::endl;
    return 0;
  }
  return serve(*std::move(config));
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  try {
    return tern::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "ternd: " << error.what() << std::endl;
    return 1;
  }
}
