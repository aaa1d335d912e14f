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

/// In the order of the help text.
inline constexpr AddCommand kCommands[] = {
    add_generate,        add_chat,        add_models,      add_status,
    add_abort,           add_drain,       add_reload,      add_flush,
    add_log_level,       add_tokenize,    add_detokenize,  add_template,
    add_score,           add_inspect,     add_make_random, add_eval_logits,
    add_eval_perplexity, add_eval_tasks,  add_bench_step,  add_bench_roofline,
    add_bench_kernels,   add_bench_serve,
};

/// --server, the same for every command that talks to one.
inline void add_server_option(CLI::App& command, std::string& server) {
  command.add_option("--server", server,
                     "HOST:PORT or unix:PATH [$TERN_SERVER, else 127.0.0.1:50051]");
}

/// Of commands that change a server: --server, --admin, --json.
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
