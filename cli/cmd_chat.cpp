// tern chat: a conversation with the model of a server.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/chat/history_file.h"
#include "cli/chat/session.h"
#include "cli/commands.h"
#include "cli/support/client.h"
#include "cli/support/output.h"
#include "cli/support/sampling_options.h"

namespace tern {
namespace {

struct Options {
  std::string server, system;
  bool no_history = false;
  SamplingOptions sampling;
};

ChatSession::Options session_options(const Options& options) {
  ChatSession::Options out{.system = options.system};
  set_sampling(options.sampling, &out.sampling);
  return out;
}

// A script: its failures are final, and Ctrl-C ends it.
int run_script(const Options& options) {
  Client client(options.server, InterruptHandlers{[] { std::_Exit(kExitInterrupted); }, {}});
  ChatSession session(client, session_options(options));
  if (const int code = session.connect(); code != kExitDone) return code;
  PlainReader reader;
  return session.converse(reader);
}

int run_terminal(const Options& options) {
  const HistoryFile file(options.no_history ? "" : default_history_path());
  Result<std::vector<std::string>> history = file.load();
  if (!history.ok()) std::cerr << "tern: " << history.status().message() << std::endl;
  LineEditor editor(history.ok() ? *history : std::vector<std::string>(),
                    ChatSession::command_names());
  Client client(options.server, InterruptHandlers{[] {}, [&editor] { editor.restore_terminal(); }});
  bool is_kept = history.ok();
  ChatSession::Options session_of = session_options(options);
  session_of.interactive = true;
  session_of.on_message = [&](const std::string& message) {
    editor.remember(message);
    if (!is_kept) return;
    const Status status = file.add(message);
    is_kept = status.ok();
    if (!is_kept) std::cerr << "tern: no history is kept: " << status.message() << std::endl;
  };
  ChatSession session(client, std::move(session_of));
  if (const int code = session.connect(); code != kExitDone) return code;
  session.greet();
  return session.converse(editor);
}

int run(const Options& options) {
  return isatty(STDIN_FILENO) != 0 ? run_terminal(options) : run_script(options);
}

}  // namespace

void add_chat(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("chat", "Talk with a model, message by message");
  command->add_option("--system", options->system, "The system message");
  command->add_flag("--no-history", options->no_history,
                    "Keep nothing of what is typed [$TERN_CHAT_HISTORY, else "
                    "$XDG_STATE_HOME/tern/chat_history]");
  add_sampling_options(*command, options->sampling);
  add_server_option(*command, options->server);
  command->footer(
      "Each line of stdin is a message. On a terminal a paste of several lines is one, Alt-Enter "
      "begins a\nnew line, and the arrow keys find earlier messages. /help lists what else can be "
      "said.\n\n"
      "Example:\n  tern chat --system 'You are brief.'");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
