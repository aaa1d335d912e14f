// tern flush: a server forgets its cached prefixes.
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
  v1::FlushPrefixCacheResult result;
  if (const CallStatus end = client.flush(&result); !end.ok()) return end.exit_code();
  if (options.json)
    print_json(to_json(result));
  else
    std::printf("%u KV blocks freed\n", result.num_blocks());
  return kExitDone;
}

}  // namespace

void add_flush(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("flush", "Forget cached prefixes that no request uses");
  add_server_option(*command, options->server);
  add_admin_option(*command, options->admin);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern flush");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
