// The table of commands. A command is one file with one add_x(), and one row here.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/support/exit_code.h"

namespace tern {

/// The work of the command that was chosen. Returns an ExitCode.
using Action = std::function<int()>;

/// Declares a subcommand of `app` with its flags; `action` is set when it is the one that was
/// given.
using AddCommand = void (*)(CLI::App& app, Action& action);

void add_generate(CLI::App& app, Action& action);
void add_chat(CLI::App& app, Action& action);
void add_models(CLI::App& app, Action& action);
void add_status(CLI::App& app, Action& action);
void add_ps(CLI::App& app, Action& action);
void add_abort(CLI::App& app, Action& action);
void add_drain(CLI::App& app, Action& action);
void add_reload(CLI::App& app, Action& action);
void add_flush(CLI::App& app, Action& action);
void add_log_level(CLI::App& app, Action& action);
void add_tokenize(CLI::App& app, Action& action);
void add_detokenize(CLI::App& app, Action& action);
void add_template(CLI::App& app, Action& action);
void add_score(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_make_random(CLI::App& app, Action& action);
void add_eval_logits(CLI::App& app, Action& action);
void add_eval_perplexity(CLI::App& app, Action& action);
void add_eval_tasks(CLI::App& app, Action& action);
void add_bench_step(CLI::App& app, Action& action);
void add_bench_roofline(CLI::App& app, Action& action);
void add_bench_kernels(CLI::App& app, Action& action);
void add_bench_serve(CLI::App& app, Action& action);
void add_simulate(CLI::App& app, Action& action);
void add_rank_train(CLI::App& app, Action& action);
void add_rank_eval(CLI::App& app, Action& action);
void add_bench_scheduler(CLI::App& app, Action& action);
void add_completion(CLI::App& app, Action& action);

struct CommandRow {
  AddCommand add;
  const char* group;  ///< of the help text
};

inline constexpr const char* kRequests = "Ask a server";
inline constexpr const char* kOperation = "Operate a server";
inline constexpr const char* kFiles = "Work on model files";
inline constexpr const char* kMeasuring = "Measure";

/// These stand in the order of the help text.
inline constexpr CommandRow kCommands[] = {
    {add_generate, kRequests},
    {add_chat, kRequests},
    {add_models, kRequests},
    {add_status, kOperation},
    {add_ps, kOperation},
    {add_abort, kOperation},
    {add_drain, kOperation},
    {add_reload, kOperation},
    {add_flush, kOperation},
    {add_log_level, kOperation},
    {add_tokenize, kFiles},
    {add_detokenize, kFiles},
    {add_template, kFiles},
    {add_score, kFiles},
    {add_inspect, kFiles},
    {add_make_random, kFiles},
    {add_eval_logits, kMeasuring},
    {add_eval_perplexity, kMeasuring},
    {add_eval_tasks, kMeasuring},
    {add_bench_step, kMeasuring},
    {add_bench_roofline, kMeasuring},
    {add_bench_kernels, kMeasuring},
    {add_bench_serve, kMeasuring},
    {add_simulate, kMeasuring},
    {add_rank_train, kMeasuring},
    {add_rank_eval, kMeasuring},
    {add_bench_scheduler, kMeasuring},
    {add_completion, "Other"},
};

/// --server, the same for every command that talks to one.
inline void add_server_option(CLI::App& command, std::string& server) {
  command.add_option("--server", server,
                     "HOST:PORT or unix:PATH [$TERN_SERVER, else 127.0.0.1:50051]");
}

/// What commands that change a server are told by --server, --admin and --json.
struct AdminOptions {
  std::string server, admin;
  bool json = false;
};
inline void add_admin_options(CLI::App& command, AdminOptions& options) {
  add_server_option(command, options.server);
  command.add_option("--admin", options.admin,
                     "Its admin address [as the server at --server says]");
  command.add_flag("--json", options.json, "Print one JSON document");
}

/// The subcommand `name` that itself has subcommands ("eval"): made at the first call, found at the
/// next.
inline CLI::App& command_group(CLI::App& app, const std::string& name, const std::string& help) {
  const auto found = app.get_subcommands([&](const CLI::App* a) { return a->get_name() == name; });
  return found.empty() ? *app.add_subcommand(name, help)->require_subcommand(1) : *found.front();
}

}  // namespace tern
