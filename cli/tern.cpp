// The command line: `tern COMMAND`. Commands are in commands.h.
#include <exception>
#include <iostream>

#include "base/log.h"
#include "cli/commands.h"

namespace {

// The subcommand that the arguments reached, for "see … --help".
std::string path_of(const CLI::App& app) {
  std::string path = app.get_name();
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    if (!at->get_name().empty()) path += " " + at->get_name();
  }
  return path;
}

int run(int argc, char** argv) {
  CLI::App app("Talks to tern servers, and works on model files.", "tern");
  app.set_version_flag("--version", "tern " TERN_VERSION);
  bool verbose = false, no_color = false;
  app.add_flag("--verbose", verbose, "Say more on stderr");
  app.add_flag("--no-color", no_color,
               "No colours (as NO_COLOR; none where stderr is no terminal)");
  app.require_subcommand(1);
  app.fallthrough();  // the flags above may follow the command
  tern::Action action;
  for (const tern::AddCommand add : tern::kCommands) add(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const bool unknown = app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-';
    const std::string what =
        unknown ? "unknown command '" + std::string(argv[1]) + "'" : error.what();
    std::cerr << "tern: " << what << "\nSee '" << path_of(app) << " --help'." << std::endl;
    return tern::kExitUsage;
  }
  (void)tern::init_logging(verbose ? "debug" : "warn");
  return action();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "tern: " << error.what() << std::endl;
    return tern::kExitFailed;
  }
}
