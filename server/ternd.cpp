// The daemon: binds, loads the model, serves until a signal, drains.
#include <sys/auxv.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iostream>
#include <optional>
#include <thread>

#include "base/command_line/command_line.h"
#include "base/command_line/generated.h"
#include "base/command_line/standard_output.h"
#include "base/command_line/value_rules.h"
#include "base/cpu_info.h"
#include "base/cpu_plan.h"
#include "base/fail_point.h"
#include "base/log.h"
#include "base/version.h"
#include "server/check.h"
#include "server/live_config.h"
#include "server/load_log.h"
#include "server/notify.h"
#include "server/signals.h"

namespace tern {
namespace {

constexpr Seconds kCloseGrace{2.0};  // for the last bytes of ended calls

struct Arguments {
  std::string config_file, model, name, listen, chat_template;
  std::string device;
  std::optional<std::string> http;  // an empty one is one: no HTTP
  std::vector<std::string> set;
  bool check = false, check_config = false, print_config = false;
};

// File, then --set, then the shorthands: the later wins.
Result<Config> make_config(const Arguments& arguments) {
  Config config;
  if (!arguments.config_file.empty()) TERN_TRY(load_config(arguments.config_file, config));
  for (const std::string& assignment : arguments.set) TERN_TRY(set_config(assignment, config));
  const auto set = [&](const char* key, auto& value, const std::string& text) {
    value = std::decay_t<decltype(value)>{text};
    config.origins.erase(key);
  };
  if (!arguments.model.empty()) set("model.path", config.engine.model_dir, arguments.model);
  if (!arguments.name.empty()) set("model.name", config.engine.served_name, arguments.name);
  if (!arguments.listen.empty()) set("server.listen", config.server.listen, arguments.listen);
  if (!arguments.device.empty()) set("engine.device", config.engine.device, arguments.device);
  if (arguments.http) set("http.listen", config.server.http.listen, *arguments.http);
  if (!arguments.chat_template.empty())
    set("model.chat_template", config.engine.chat_template_file, arguments.chat_template);
  return config;
}

constexpr Seconds kForever{1e9};
constexpr Seconds kStopLimit{10.0};  // for the engine to end its step

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// Scripts wait for this line, whatever the log level.
void announce(Server& server, const ModelInfo& info) {
  const http::Gateway* http = server.http();
  log_always(
      fmt::format("ternd ready: listening on {}{}, model {}, {} parameters ({}), context {} tokens",
                  join(server.addresses()), http ? ", HTTP on " + join(http->addresses()) : "",
                  info.name, info.num_parameters, info.weight_format, info.max_model_len));
  if (!http) return;
  for (const std::string& address : http->addresses())
    if (!address.starts_with("unix:"))
      spdlog::info("status page: http://{0}/, OpenAI's API: http://{0}/v1", address);
}

// Health says so first; after the notice new requests are refused, and live ones finish, until the
// timeout, a later and shorter one or the second signal ends them.
void drain(Server& server, Engine& engine, Signals& signals, const Config& config,
           Seconds timeout) {
  const auto must_end = [](const Signals::Seen& seen) { return seen.must_end_drain(); };
  notify_service_manager("STOPPING=1");
  server.announce_draining();
  if (config.drain_notice.count() > 0) {
    spdlog::info("draining: requests are still taken for {:.1f} s", config.drain_notice.count());
    signals.wait(config.drain_notice, must_end);
  }
  spdlog::info("draining: {} live requests, at most {:.0f} s", server.num_live_calls(),
               timeout.count());
  server.start_draining();
  engine.start_draining();
  signals.wait(timeout, [&](const Signals::Seen& seen) {
    return must_end(seen) || server.num_live_calls() == 0;
  });
  if (const int live = server.num_live_calls()) spdlog::warn("ending {} live requests", live);
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    engine.shutdown();
    server.shutdown(kCloseGrace);
    stopped = true;
  });
  signals.wait(kStopLimit, [&](const Signals::Seen&) { return stopped.load(); });
  if (!stopped) {
    spdlog::critical("the engine does not stop, leaving it\n{}", describe_engine(engine));
    close_logging();
    std::_Exit(1);
  }
  stopper.join();
  const int left = server.num_live_calls();
  spdlog::info("ternd stopped: {} calls, {}", server.num_calls(),
               left == 0 ? "all released" : std::to_string(left) + " not released");
}

// What of `next` counts while running; called with reloads one by one.
Status apply(const Config& next, Engine& engine) {
  const Result<std::shared_ptr<const Ranker>> ranker = load_ranker(next.engine);
  if (!ranker.ok()) return ranker.status().with_context("scheduler.ranker");
  std::promise<Status> done;
  engine.reconfigure(next.engine.scheduler, next.engine.queue,
                     [&](Status status) { done.set_value(std::move(status)); });
  TERN_TRY(done.get_future().get());
  engine.use_ranker(*ranker);
  return set_log_level(next.log_level).status();
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

// The scheduling of the running engine from the file that is there now.
Result<std::vector<ConfigChange>> reload(LiveConfig& live, Engine* engine) {
  if (!engine)
    return Status(Code::kUnavailable, "the model is being loaded",
                  {.reason = "LOADING", .retry_after = Seconds(1)});
  return live.reload([engine](const Config& next) { return apply(next, *engine); });
}

// Serves until it is told to stop; in between, SIGHUP reloads.
Signals::Seen wait_for_stop(Signals& signals, LiveConfig& live, Engine& engine) {
  for (int reloads = 0;; ++reloads) {
    const Signals::Seen seen = signals.wait(
        kForever, [&](const Signals::Seen& s) { return s.stops > 0 || s.reloads > reloads; });
    if (seen.stops > 0) return seen;
    notify_reloading();
    if (const auto changes = reload(live, &engine); !changes.ok())
      spdlog::error("reload: {}; the old configuration stays", changes.status().message());
    notify_service_manager("READY=1");
  }
}

// Faults that tests ask for; nobody else sets this.
Status arm_fail_points_of_environment() {
  const char* spec = std::getenv(kFailPointsVariable);
  if (!spec || !*spec) return {};
  TERN_TRY(arm_fail_points(spec).with_context(kFailPointsVariable));
  spdlog::warn("fail points are armed: {}", spec);
  return {};
}

// 0 after a signal, 1 where it cannot serve.
int serve(Config config, LiveConfig::Read read) {
  Signals signals;
  config.server.config_summary = summarize(config);
  LiveConfig live(config, std::move(read));
  if (config.engine.num_threads == 0)
    config.engine.num_threads = serving_threads(cpu_info().num_cpus);
  // The log's and gRPC's threads, started from here, stay off the CPUs that compute.
  (void)bind_thread(plan_cpus(cpu_info().cpus, config.engine.num_threads).others);
  Status status = init_daemon_logging(config.log_level, config.log_format);
  if (status.ok()) status = arm_fail_points_of_environment();
  if (!status.ok()) {
    std::cerr << "ternd: " << status.message() << std::endl;
    return 1;
  }
  std::atomic<Engine*> loaded_engine{nullptr};
  // Bound before the model is loaded: a port in use is known at once, and health is answered.
  Result<std::unique_ptr<Server>> server = Server::start(
      config.server, {.drain =
                          [&](std::optional<Seconds> timeout) {
                            if (!signals.request_drain(timeout) && timeout)
                              spdlog::info("draining: told again, for at most {:.0f} s from now",
                                           timeout->count());
                          },
                      .reload = [&] { return reload(live, loaded_engine); }});
  if (!server.ok()) {
    spdlog::error("{}", server.status().message());
    return 1;
  }
  const http::Gateway* http = (*server)->http();
  spdlog::info("ternd {} listening on {}{}, admin on {}, loading {}", TERN_VERSION,
               join((*server)->addresses()), http ? ", HTTP on " + join(http->addresses()) : "",
               join((*server)->admin_addresses()),
               config.engine.simulate ? "the simulated model" : config.engine.model_dir);

  std::optional<Result<std::unique_ptr<Engine>>> engine;
  std::atomic<bool> loaded{false};
  std::thread loader([&] {
    engine.emplace(load(config.engine, **server));
    loaded = true;
  });
  const Signals::Seen seen =
      signals.wait(kForever, [&](const Signals::Seen& s) { return s.stops > 0 || loaded.load(); });
  if (seen.stops > 0) {
    notify_service_manager("STOPPING=1");
    spdlog::info("stopped while loading");
    (*server)->shutdown(kCloseGrace);
    close_logging();
    std::_Exit(0);  // the loader cannot be interrupted
  }
  loader.join();
  if (!engine->ok()) {
    spdlog::error("{}", engine->status().message());
    return 1;
  }
  Engine& running = ***engine;
  loaded_engine = &running;
  (*server)->serve(running);
  announce(**server, running.model_info());
  notify_service_manager("READY=1");
  const Signals::Seen stop = wait_for_stop(signals, live, running);
  const Config in_force = live.get();
  drain(**server, running, signals, in_force, stop.drain_timeout.value_or(in_force.drain_timeout));
  server = Status(Code::kCancelled, "stopped");  // before the engine that its calls refer to
  return 0;
}

// glibc keeps up to 235 KiB of freed pieces for each thread. What the engine's thread allocates the
// connections' threads free, so that these stores go on filling where sizes vary, and memory grows
// as with a leak: by 1 MB in ten minutes. Without them it stays, for 2 % more CPU a message. glibc
// reads this once, when a program starts; hence the same program again. Where that fails, or the
// operator has settings of his own, all goes on as it is. With privileges of its file (AT_SECURE)
// glibc takes the variable away, and each start would be the first.
void turn_off_thread_caches(char** argv) {
  if (getauxval(AT_SECURE) != 0 || std::getenv("GLIBC_TUNABLES")) return;
  setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) execv(program.c_str(), argv);
}

// 0 where ternd could serve now, 1 with every reason why it could not.
int check(const Config& config) {
  if (const Status status = init_daemon_logging("warn", config.log_format); !status.ok()) {
    std::cerr << "ternd: " << status.message() << std::endl;
    return 1;
  }
  std::string model;
  const std::vector<std::string> problems = find_problems(config, &model);
  close_logging();  // its warnings come first
  for (const std::string& problem : problems) std::cerr << "ternd: " << problem << std::endl;
  if (!problems.empty()) return 1;
  std::cout << "configuration ok\n" << model << std::endl;
  return 0;
}

// What the man page says besides what help does.
constexpr const char* kManFiles = R"(.SH SIGNALS
SIGTERM and SIGINT drain: live requests finish, and the second ends them. SIGHUP reads the configuration again.
.SH EXIT STATUS
0 stopped, or the check found nothing; 1 it cannot serve: the last line of stderr says why; 2 wrong usage. The watchdog (health.watchdog_timeout) ends it by SIGABRT.
.SH ENVIRONMENT
.TP
.B TERN_MODELS
A folder of models to be found by name.
.TP
.B TERN_CPU_ISA
Forces an instruction set: scalar, avx2, avx512, avx512_vnni, avx512_bf16, amx, neon.
.TP
.B RUNTIME_DIRECTORY, XDG_RUNTIME_DIR
Where admin.listen: auto puts its socket: see FILES.
.TP
.B NOTIFY_SOCKET
Where systemd hears that ternd is ready, reloads and stops.
.TP
.B GLIBC_TUNABLES
Where it is not set, ternd sets glibc.malloc.tcache_count=0 and starts again as the same process.
.TP
.B TERN_FAIL_POINTS
For tests: faults on demand. A start warns of it.
.SH FILES
PREFIX is where tern is installed: the folder above that of the program.
.TP
.I /etc/tern/ternd.yaml
The configuration of the service.
.TP
.I PREFIX/share/tern/ternd.yaml
Every key of the configuration with its default and unit.
.TP
.I PREFIX/share/tern/models, ./models
Models to be found by name.
.TP
.I ternd\-HOST\-PORT.sock
Where tern drain, reload, flush, log\-level and ps are answered (admin.listen: auto), named after the first of server.listen, in $RUNTIME_DIRECTORY (systemd: /run/tern), else $XDG_RUNTIME_DIR/tern, else /tmp/tern\-UID. Of unix:PATH it is PATH.admin.
)";

int run(int argc, char** argv) {
  CLI::App app("Serves a language model over gRPC and HTTP.", "ternd");
  set_help_style(app);
  app.set_version_flag("--version", "ternd " + version_with_commit(),
                       "Print the version and leave");
  add_generate_flag(app, {.section = 8,
                          .version = "tern " TERN_VERSION,
                          .see_also = ".BR tern (1),\n.I PREFIX/share/doc/tern",
                          .files = kManFiles});
  Arguments arguments;
  app.add_option("--config", arguments.config_file,
                 "YAML file; configs/ternd.yaml lists every key");
  app.add_option("--set", arguments.set, "key.path=value, over the file; repeatable")
      ->expected(1)
      ->take_all();
  app.add_option("--model", arguments.model, "Shorthand for model.path");
  app.add_option("--name", arguments.name, "Shorthand for model.name");
  app.add_option("--listen", arguments.listen, "Shorthand for server.listen");
  app.add_option("--device", arguments.device, "Shorthand for engine.device");
  app.add_option("--http", arguments.http, "Shorthand for http.listen; off: no HTTP");
  app.add_option("--chat-template", arguments.chat_template, "Shorthand for model.chat_template");
  app.add_flag("--check", arguments.check,
               "Check the configuration, the files that it names and its addresses, and leave");
  app.add_flag("--check-config", arguments.check_config,
               "Check the configuration alone (beside a running ternd), and leave");
  app.add_flag("--print-config", arguments.print_config,
               "Print the configuration in force and leave");
  app.footer("Example:\n  ternd --model tern-stories --listen 127.0.0.1:50051");
  set_value_rules(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::cerr << "ternd: " << explain_mistake(app, error) << std::endl;
    return 2;
  }

  const auto read = [arguments]() -> Result<Config> {
    TERN_ASSIGN(Config config, make_config(arguments));
    TERN_TRY(check_config(config));
    return config;
  };
  Result<Config> config = make_config(arguments);
  Status status = config.status();
  if (status.ok() && arguments.print_config) {
    std::cout << print_config(*config);
    return 0;
  }
  if (status.ok() && arguments.check) return check(*config);
  if (status.ok()) status = check_config(*config);
  if (!status.ok()) {
    std::cerr << "ternd: " << status.message() << std::endl;
    return 1;
  }
  if (arguments.check_config) {
    std::cout << "configuration ok" << std::endl;
    return 0;
  }
  turn_off_thread_caches(argv);
  return serve(*std::move(config), read);
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  tern::keep_standard_streams();
  try {
    return tern::finish_standard_output("ternd", tern::run(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "ternd: " << error.what() << std::endl;
    return 1;
  }
}
