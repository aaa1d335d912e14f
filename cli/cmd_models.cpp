// tern models: what a server serves.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/support/client.h"
#include "cli/commands.h"
#include "cli/support/output.h"

namespace tern {
namespace {

struct Options {
  std::string server;
  bool json = false;
};

int run(const Options& options) {
  Client client(options.server);
  v1::ListModelsResult result;
  if (const CallStatus end = client.list_models(&result); !end.ok()) return end.exit_code();
  if (options.json) {
    print_json(to_json(result));
    return kExitDone;
  }
  for (const v1::ModelInfo& model : result.models())
    std::printf("%-24s %s, %llu parameters, %s, context %u\n", model.name().c_str(),
                model.architecture().c_str(),
                static_cast<unsigned long long>(model.num_parameters()),
                model.weight_format().c_str(), model.max_model_len());
  return kExitDone;
}

}  // namespace

void add_models(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("models", "List the models that a server serves");
  add_server_option(*command, options->server);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern models --server 127.0.0.1:50051");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
