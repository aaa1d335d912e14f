// The command line: `tern COMMAND`. Commands are in commands.h.
#include <exception>
#include <iostream>

#include "base/command_line/command_line.h"
#include "base/command_line/generated.h"
#include "base/command_line/standard_output.h"
#include "base/command_line/value_rules.h"
#include "base/log.h"
#include "base/version.h"
#include "cli/commands.h"

namespace {

// What the man page says besides what help does.
constexpr const char* kManFiles = R"(.SH EXIT STATUS
0 done, 1 the work failed, 2 wrong usage, 3 the server cannot be reached, 130 interrupted.
.SH ENVIRONMENT
.TP
.B TERN_SERVER
The server's address where \-\-server is not given; else 127.0.0.1:50051.
.TP
.B TERN_MODELS
A folder of models to be found by name.
.TP
.B TERN_CPU_ISA
Forces an instruction set: scalar, avx2, avx512, avx512_vnni, avx512_bf16, amx, neon.
.TP
.B TERN_CHAT_HISTORY
Where tern chat keeps what was typed; empty: nowhere.
.TP
.B NO_COLOR
No colours.
.SH FILES
.TP
.I ~/.local/state/tern/chat_history
What was typed in tern chat ($XDG_STATE_HOME/tern/chat_history), for its user alone.
.TP
.I ~/.editrc
Key bindings of tern chat, see
.BR editrc (5).
)";

int run(int argc, char** argv) {
  CLI::App app("Talks to tern servers, and works on model files.", "tern");
  tern::set_help_style(app);
  app.set_version_flag("--version", "tern " + tern::version_with_commit(),
                       "Print the version and leave");
  tern::add_generate_flag(app, {.section = 1,
                                .version = "tern " TERN_VERSION,
                                .see_also = ".BR ternd (8)",
                                .files = kManFiles});
  bool verbose = false, no_color = false;
  app.add_flag("--verbose", verbose, "Say more on stderr");
  app.add_flag("--no-color", no_color,
               "No colours (as NO_COLOR; none where stderr is no terminal)");
  app.require_subcommand(1);
  app.fallthrough();  // the flags above may follow the command
  tern::Action action;
  for (const tern::CommandRow& row : tern::kCommands) {
    row.add(app, action);
    app.get_subcommands([](const CLI::App*) { return true; }).back()->group(row.group);
  }
  tern::set_value_rules(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::cerr << "tern: " << tern::explain_mistake(app, error) << std::endl;
    return tern::kExitUsage;
  }
  (void)tern::init_logging(verbose ? "debug" : "warn");
  return action();
}

}  // namespace

int main(int argc, char** argv) {
  tern::keep_standard_streams();
  try {
    return tern::finish_standard_output("tern", run(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "tern: " << error.what() << std::endl;
    return tern::kExitFailed;
  }
}
