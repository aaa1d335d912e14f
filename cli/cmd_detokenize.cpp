// tern detokenize: token ids to text through the model's own files.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/support/output.h"
#include "engine/load/loader.h"
#include "engine/load/resolve_model.h"
#include "engine/text/tokenizer.h"

namespace tern {
namespace {

struct Options {
  std::string model;
  std::vector<int32_t> ids;
  bool skip_special = false, json = false;
};

Status run(const Options& options) {
  TERN_ASSIGN(const std::string directory, resolve_model(options.model));
  TERN_ASSIGN(const std::unique_ptr<Tokenizer> tokenizer, read_tokenizer(directory));
  std::vector<std::string> pieces;
  for (const int32_t id : options.ids) {
    if (id < 0 || id >= tokenizer->vocab_size())
      return invalid_argument("token id " + std::to_string(id) + ": must be in [0, " +
                              std::to_string(tokenizer->vocab_size()) + ")");
    pieces.emplace_back(tokenizer->token_piece(id));
  }
  const std::string text = tokenizer->decode(options.ids, options.skip_special);
  if (options.json)
    print_json({{"token_ids", options.ids}, {"pieces", pieces}, {"text", text}});
  else
    std::cout << text << std::endl;
  return {};
}

}  // namespace

void add_detokenize(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("detokenize", "Token ids to text");
  command->add_option("--model", options->model, "Model directory or name of a bundled model")
      ->required();
  command->add_option("--ids", options->ids, "Token ids: 1,2,3")->required()->delimiter(',');
  command->add_flag("--skip-special-tokens", options->skip_special, "Special tokens give no text");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern detokenize --model tern-stories --ids 10,20,30");
  command->callback([options, &action] {
    action = [options] {
      const Status status = run(*options);
      return status.ok() ? kExitDone : fail(status);
    };
  });
}

}  // namespace tern
