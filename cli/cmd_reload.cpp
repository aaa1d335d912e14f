// tern reload: a server reads its configuration again.
#include <cstdio>
#include <memory>

#include "cli/admin_call.h"
#include "cli/commands.h"

namespace tern {
namespace {

void print(const v1::ReloadConfigResult& result) {
  for (const v1::ConfigChange& change : result.changes())
    std::printf("%s: %s -> %s%s\n", change.key().c_str(), change.old_value().c_str(),
                change.new_value().c_str(), change.needs_restart() ? " (needs a restart)" : "");
  if (result.changes().empty()) std::printf("nothing has changed\n");
}

int run(const AdminOptions& options) {
  return ask_admin<v1::ReloadConfigResult>(
      options, [](Client& client, auto* result) { return client.reload(result); }, print);
}

}  // namespace

void add_reload(CLI::App& app, Action& action) {
  auto options = std::make_shared<AdminOptions>();
  CLI::App* command = app.add_subcommand("reload", "Have a server read its configuration again");
  add_admin_options(*command, *options);
  command->footer("Example:\n  tern reload --server 127.0.0.1:50051");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
