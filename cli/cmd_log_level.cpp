// tern log-level: how much a server logs, while it runs.
#include <cstdio>
#include <memory>

#include "cli/admin_call.h"
#include "cli/commands.h"

namespace tern {
namespace {

struct Options : AdminOptions {
  std::string level;
};

int run(const Options& options) {
  return ask_admin<v1::SetLogLevelResult>(
      options,
      [&](Client& client, auto* result) { return client.set_log_level(options.level, result); },
      [&](const auto& result) {
        std::printf("%s -> %s\n", result.previous_level().c_str(), options.level.c_str());
      });
}

}  // namespace

void add_log_level(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("log-level", "Change how much a server logs");
  add_admin_options(*command, *options);
  command->add_option("level", options->level, "trace, debug, info, warn, error or off")
      ->required()
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  command->footer("Example:\n  tern log-level debug");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
