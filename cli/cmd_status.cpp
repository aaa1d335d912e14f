// tern status: what the server is, serves and does.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/support/client.h"
#include "cli/support/output.h"

namespace tern {
namespace {

struct Options {
  std::string server;
  bool json = false;
};

const char* state_name(v1::ServerState state) {
  switch (state) {
    case v1::SERVER_STATE_LOADING:
      return "loading";
    case v1::SERVER_STATE_SERVING:
      return "serving";
    case v1::SERVER_STATE_DRAINING:
      return "draining";
    default:
      return "unknown";
  }
}

void row(const char* name, const std::string& value) {
  std::printf("%-14s %s\n", name, value.c_str());
}

void print_model(const v1::ModelInfo& model) {
  row("model", model.name() + " (" + model.architecture() + ")");
  row("parameters", std::to_string(model.num_parameters()));
  row("weights", format_bytes(model.weight_bytes()) + ", " + model.weight_format());
  row("context", std::to_string(model.max_model_len()) + " tokens, " +
                     format_bytes(model.kv_bytes_per_token()) + " of KV cache each");
}

void print_policy(const v1::EngineStats& stats) {
  row("policy", stats.policy());
  if (!stats.has_ranker()) return;
  const v1::RankerStats& ranker = stats.ranker();
  char text[128];
  if (ranker.has_tau())
    std::snprintf(text, sizeof text, "tau %.2f over the last %llu answers", ranker.tau(),
                  std::min<unsigned long long>(ranker.num_answers(), 512));
  else
    std::snprintf(text, sizeof text, "%llu answers, tau unknown before 30",
                  static_cast<unsigned long long>(ranker.num_answers()));
  row("ranker", ranker.name() + " " + ranker.version() + ", " + text);
}

void print_stats(const v1::EngineStats& stats) {
  const v1::KvCacheStats& kv = stats.kv_cache();
  row("requests", std::to_string(stats.num_live_requests()) + " live (" +
                      std::to_string(stats.num_running_requests()) + " running, " +
                      std::to_string(stats.num_waiting_requests()) + " waiting), " +
                      std::to_string(stats.num_requests_finished()) + " finished of " +
                      std::to_string(stats.num_requests_submitted()));
  row("tokens", std::to_string(stats.num_generated_tokens()) + " generated in " +
                    std::to_string(stats.num_steps()) + " steps, at most " +
                    std::to_string(stats.max_step_seqs()) + " sequences a step");
  row("KV blocks", std::to_string(kv.num_used_blocks()) + " used, " +
                       std::to_string(kv.num_cached_blocks()) + " cached, " +
                       std::to_string(kv.num_free_blocks()) + " free of " +
                       std::to_string(kv.num_blocks()));
  row("prefix cache", std::to_string(kv.prefix_cache_hit_tokens()) + " tokens hit of " +
                          std::to_string(kv.prefix_cache_query_tokens()));
  row("preemptions", std::to_string(stats.num_preemptions()));
}

int run(const Options& options) {
  Client client(options.server);
  v1::ServerInfo info;
  if (const CallStatus end = client.get_server_info(&info); !end.ok()) return end.exit_code();
  const bool loaded = info.has_stats();
  v1::ModelInfo model;
  if (loaded)
    if (const CallStatus end = client.get_model_info(&model); !end.ok()) return end.exit_code();

  if (options.json) {
    nlohmann::json document = to_json(info);
    document["server"] = client.address();
    document["state"] = state_name(info.state());
    if (loaded) document["model_info"] = to_json(model);
    print_json(document);
    return kExitDone;
  }
  row("server", client.address() + ", ternd " + info.version());
  char uptime[64];
  std::snprintf(uptime, sizeof uptime, "%s, up %.0f s", state_name(info.state()),
                info.uptime_seconds());
  row("state", uptime);
  if (!loaded) {
    char percent[16];
    std::snprintf(percent, sizeof percent, ", %.0f %%", info.load_fraction() * 100);
    row("loading", info.load_stage() + percent);
    return kExitDone;
  }
  print_model(model);
  print_policy(info.stats());
  print_stats(info.stats());
  return kExitDone;
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("status", "Show what a server serves and does");
  add_server_option(*command, options->server);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern status --server 127.0.0.1:50051");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
