// tern flush: a server forgets its cached prefixes.
#include <cstdio>
#include <memory>

#include "cli/admin_call.h"
#include "cli/commands.h"

namespace tern {
namespace {

int run(const AdminOptions& options) {
  return ask_admin<v1::FlushPrefixCacheResult>(
      options, [](Client& client, auto* result) { return client.flush(result); },
      [](const auto& result) { std::printf("%u KV blocks freed\n", result.num_blocks()); });
}

}  // namespace

void add_flush(CLI::App& app, Action& action) {
  auto options = std::make_shared<AdminOptions>();
  CLI::App* command = app.add_subcommand("flush", "Forget cached prefixes that no request uses");
  add_admin_options(*command, *options);
  command->footer("Example:\n  tern flush");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
