// tern tokenize: text to token ids through the model's own files.
#include <cstdio>
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
  std::string model, text, file;
  bool ids_only = false, json = false, no_add = false, no_parse = false;
};

Status run(const Options& options) {
  std::string text = options.text;
  if (!options.file.empty()) {
    TERN_ASSIGN(text, read_text(options.file));
  }
  TERN_ASSIGN(const std::string directory, resolve_model(options.model));
  TERN_ASSIGN(const std::unique_ptr<Tokenizer> tokenizer, read_tokenizer(directory));
  TERN_ASSIGN(const std::vector<int32_t> ids,
              tokenizer->encode(text, {.add_special_tokens = !options.no_add,
                                       .parse_special_tokens = !options.no_parse}));
  if (options.json) {
    std::vector<std::string> pieces;
    for (const int32_t id : ids) pieces.emplace_back(tokenizer->token_piece(id));
    print_json({{"token_ids", ids}, {"pieces", pieces}, {"text", text}});
    return {};
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string piece(tokenizer->token_piece(ids[i]));
    if (options.ids_only)
      std::printf("%s%d", i ? " " : "", ids[i]);
    else
      std::printf("%8d  %s\n", ids[i], piece.c_str());
  }
  if (options.ids_only) std::printf("\n");
  return {};
}

}  // namespace

void add_tokenize(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("tokenize", "Text to token ids");
  command->add_option("--model", options->model, "Model directory or name of a bundled model")
      ->required();
  CLI::Option_group* input = command->add_option_group("text", "Where the text comes from");
  input->add_option("--text", options->text, "The text");
  input->add_option("--file", options->file, "File with the text; - is stdin");
  input->require_option(1);
  command->add_flag("--ids", options->ids_only, "Print the ids alone, on one line");
  command->add_flag("--no-add-special-tokens", options->no_add,
                    "Do not add what the tokenizer puts around a text");
  command->add_flag("--no-parse-special-tokens", options->no_parse,
                    "Special tokens in the text are plain text");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern tokenize --model tern-stories --text 'Once upon a time'");
  command->callback([options, &action] {
    action = [options] {
      const Status status = run(*options);
      return status.ok() ? kExitDone : fail(status);
    };
  });
}

}  // namespace tern
