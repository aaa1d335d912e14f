// tern abort: ends requests of other clients.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/commands.h"
#include "cli/support/client.h"
#include "cli/support/output.h"

namespace tern {
namespace {

struct Options {
  std::string server, reason;
  std::vector<std::string> ids;
  bool json = false;
};

const char* outcome_name(v1::AbortOutcome outcome) {
  switch (outcome) {
    case v1::ABORT_OUTCOME_ABORTED:
      return "aborted";
    case v1::ABORT_OUTCOME_FINISHED:
      return "had finished";
    default:
      return "unknown";
  }
}

// 0 where every id was that of a request, ended now or before.
int run(const Options& options) {
  Client client(options.server);
  v1::AbortRequest request;
  for (const std::string& id : options.ids) request.add_request_ids(id);
  request.set_reason(options.reason);
  v1::AbortResult result;
  if (const CallStatus end = client.abort(request, &result); !end.ok()) return end.exit_code();
  if (options.json) print_json(to_json(result));
  bool all_known = true;
  for (const std::string& id : options.ids) {
    const v1::AbortOutcome outcome = result.outcomes().at(id);
    all_known &= outcome != v1::ABORT_OUTCOME_UNKNOWN;
    if (!options.json) std::printf("%s %s\n", id.c_str(), outcome_name(outcome));
  }
  return all_known ? kExitDone : kExitFailed;
}

}  // namespace

void add_abort(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("abort", "End requests by their ids");
  add_server_option(*command, options->server);
  command->add_option("ids", options->ids, "ids of requests, as tern ps shows them")
      ->required()
      ->option_text("ID");
  command->add_option("--reason", options->reason, "For the client's error and the log");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern abort 0193b2c4-7a1e-7000-8000-0123456789ab");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
