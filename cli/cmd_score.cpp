// tern score: how probable a model finds a text, token by token.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/support/output.h"
#include "cli/files/score_text.h"

namespace tern {
namespace {

struct Options {
  ScoreTextOptions score;
  std::string file;
  bool no_add = false, json = false;
};

void print(const nlohmann::json& r) {
  for (size_t i = 0; i < r["token_ids"].size(); ++i) {
    char logprob[32] = "";
    if (!r["logprobs"][i].is_null())
      std::snprintf(logprob, sizeof logprob, "%.6f", r["logprobs"][i].get<double>());
    std::printf("%8d  %12s  %s\n", r["token_ids"][i].get<int>(), logprob,
                r["pieces"][i].get<std::string>().c_str());
  }
  std::printf("sum %.6f over %zu tokens\n", r["sum"].get<double>(), r["token_ids"].size() - 1);
}

Status run(Options& options) {
  if (!options.file.empty()) {
    TERN_ASSIGN(options.score.text, read_text(options.file));
  }
  options.score.add_special_tokens = !options.no_add;
  TERN_ASSIGN(const nlohmann::json result, score_text(options.score));
  options.json ? print_json(result) : print(result);
  return {};
}

}  // namespace

void add_score(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("score", "Log-probabilities of a given text");
  command->add_option("--model", options->score.model, "Model directory or name of a bundled model")
      ->required();
  CLI::Option_group* input = command->add_option_group("text", "Where the text comes from");
  input->add_option("--prompt", options->score.text, "The text");
  input->add_option("--file", options->file, "File with the text; - is stdin");
  input->require_option(1);
  command->add_option("--compute", options->score.compute, "default, fast or f32")
      ->check(CLI::IsMember({"default", "fast", "f32"}));
  command->add_option("--threads", options->score.num_threads, "Threads; 0 = all CPUs")
      ->check(CLI::Range(0, 1024));
  command->add_option("--device", options->score.device, "cpu, or the device of a plug-in: cuda:1");
  command->add_flag("--no-add-special-tokens", options->no_add,
                    "Do not add what the tokenizer puts around a text");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern score --model tern-stories --prompt 'Once upon a time'");
  command->callback([options, &action] {
    action = [options] {
      const Status status = run(*options);
      return status.ok() ? static_cast<int>(kExitDone) : fail(status);
    };
  });
}

}  // namespace tern
