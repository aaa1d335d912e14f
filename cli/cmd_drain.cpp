// tern drain: has a server finish its requests and end.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/support/client.h"
#include "cli/support/output.h"

namespace tern {
namespace {

struct Options : AdminOptions {
  std::optional<double> timeout;
};

int run(Options options) {
  if (const CallStatus end = find_admin(options.server, &options.admin); !end.ok())
    return end.exit_code();
  Client client(AdminAddress{options.admin});
  v1::DrainRequest request;
  if (options.timeout) request.set_timeout_seconds(*options.timeout);
  bool done = false;
  const CallStatus end = client.drain(request, [&](const v1::DrainProgress& progress) {
    done = progress.done();
    if (options.json)
      print_json(to_json(progress));
    else
      std::printf("%u requests live\n", progress.num_live_requests());
    std::fflush(stdout);
  });
  // At the end of its time the server ends the requests that are left, and this call with them.
  if (!end.ok() && !done) return end.exit_code();
  return kExitDone;
}

}  // namespace

void add_drain(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("drain", "Let a server finish its requests, refuse new ones, and end");
  add_admin_options(*command, *options);
  command->add_option("--timeout", options->timeout,
                      "Seconds after which live requests are ended [the server's]");
  command->footer("Example:\n  tern drain --timeout 60");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
