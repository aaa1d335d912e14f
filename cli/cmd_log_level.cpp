// tern log-level: how much a server logs, while it runs.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/support/client.h"
#include "cli/support/output.h"

namespace tern {
namespace {

struct Options {
  std::string server, admin;
  std::string level;
  bool json = false;
};

int run(Options options) {
  if (const CallStatus end = find_admin(options.server, &options.admin); !end.ok())
    return end.exit_code();
  Client client(options.admin);
  v1::SetLogLevelResult result;
  if (const CallStatus end = client.set_log_level(options.level, &result); !end.ok())
    return end.exit_code();
  if (options.json)
    print_json(to_json(result));
  else
    std::printf("%s -> %s\n", result.previous_level().c_str(), options.level.c_str());
  return kExitDone;
}

}  // namespace

void add_log_level(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("log-level", "Change how much a server logs");
  add_server_option(*command, options->server);
  add_admin_option(*command, options->admin);
  command->add_option("level", options->level, "trace, debug, info, warn, error or off")
      ->required();
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern log-level debug");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
