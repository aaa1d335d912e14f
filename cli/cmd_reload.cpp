// tern reload: a server reads its configuration again.
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
  bool json = false;
};

int run(Options options) {
  if (const CallStatus end = find_admin(options.server, &options.admin); !end.ok())
    return end.exit_code();
  Client client(options.admin);
  v1::ReloadConfigResult result;
  if (const CallStatus end = client.reload(&result); !end.ok()) return end.exit_code();
  if (options.json) {
    print_json(to_json(result));
    return kExitDone;
  }
  for (const v1::ConfigChange& change : result.changes())
    std::printf("%s: %s -> %s%s\n", change.key().c_str(), change.old_value().c_str(),
                change.new_value().c_str(), change.needs_restart() ? " (needs a restart)" : "");
  if (result.changes().empty()) std::printf("nothing has changed\n");
  return kExitDone;
}

}  // namespace

void add_reload(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("reload", "Have a server read its configuration again");
  add_server_option(*command, options->server);
  add_admin_option(*command, options->admin);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern reload --server 127.0.0.1:50051");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
