// tern eval logits | perplexity | tasks: how right a model is, through the served path.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/eval/eval.h"
#include "cli/support/output.h"

namespace tern {
namespace {

using nlohmann::json;
using Print = void (*)(const json&);

// Adds `eval NAME`; its options live until the action has run.
template <class Options>
CLI::App* add_measurement(CLI::App& app, Action& action, const std::string& name,
                          const std::string& help, std::shared_ptr<Options> options,
                          Result<json> (*measure)(const Options&, const EvalProgress&),
                          Print print) {
  CLI::App& group = command_group(app, "eval", "Measure how right a model is");
  CLI::App* command = group.add_subcommand(name, help);
  auto as_json = std::make_shared<bool>(false);
  EvalCommon& common = options->common;
  command->add_option("--model", common.model, "Model directory or name of a bundled model")
      ->required();
  command->add_option("--compute", common.compute, "default, fast or f32")
      ->check(CLI::IsMember({"default", "fast", "f32"}));
  command->add_option("--threads", common.num_threads, "Threads; 0 = all CPUs")
      ->check(CLI::Range(0, 1024));
  command->add_option("--device", common.device, "cpu, or the device of a plug-in: cuda:1");
  command->add_flag("--json", *as_json, "Print one JSON document");
  command->callback([options, as_json, measure, print, name, &action] {
    action = [=] {
      Result<json> result = [&] {
        ProgressBar bar("eval " + name);
        return measure(*options, [&](double fraction) { bar.update(fraction); });
      }();
      if (!result.ok()) return fail(result.status());
      *as_json ? print_json(*result) : print(*result);
      return static_cast<int>(kExitDone);
    };
  });
  return command;
}

void print_logits(const json& r) {
  std::printf(
      "max |difference| %.3g, mean KL %.3g, top-1 equal %.2f %%, greedy equal %.2f %% "
      "(%d prompts, %d positions)\n",
      r["max_abs_diff"].get<double>(), r["mean_kl"].get<double>(),
      100 * r["top1_match"].get<double>(), 100 * r["greedy_match"].get<double>(),
      r["prompts"].get<int>(), r["positions"].get<int>());
  std::string kernels;
  for (const json& k : r["kernels"]) kernels += " " + k.get<std::string>();
  std::printf("kernels:%s\n", kernels.c_str());
}

void print_perplexity(const json& r) {
  std::printf("perplexity %.4f (%.6f nats a token, %lld tokens in %zu windows, %s)\n",
              r["perplexity"].get<double>(), r["nll_per_token"].get<double>(),
              static_cast<long long>(r["tokens"].get<int64_t>()), r["windows"].size(),
              r["isa"].get<std::string>().c_str());
}

void print_tasks(const json& r) {
  for (const auto& [task, counts] : r["accuracy"].items())
    std::printf("%-12s %4d of %4d\n", task.c_str(), counts[0].get<int>(), counts[1].get<int>());
  std::printf("all          %.2f %%\n", 100 * r["all"].get<double>());
  if (r.contains("reference_mismatches"))
    std::printf("answers unlike the reference: %s\n", r["reference_mismatches"].dump().c_str());
  if (r.contains("items"))
    for (const json& item : r["items"]) std::printf("%s\n", item.dump().c_str());
}

}  // namespace

void add_eval_logits(CLI::App& app, Action& action) {
  auto o = std::make_shared<EvalLogitsOptions>();
  CLI::App* command =
      add_measurement(app, action, "logits", "Compare logits and greedy tokens with a golden file",
                      o, eval_logits, print_logits);
  command->add_option("--golden", o->golden, "safetensors with prompt.i.{input_ids,logits,greedy}")
      ->required();
  command->add_option("--hf-config", o->hf_config, "Read this in place of the model's config.json");
  command->add_option("--block-size", o->block_size, "Tokens a KV block")
      ->check(CLI::Range(1, 1024));
  command->add_option("--chunk", o->chunk, "Tokens of one prefill step")
      ->check(CLI::Range(1, 8192));
  command->footer(
      "Example:\n  tern eval logits --model DIR --golden DIR/golden.safetensors "
      "--compute f32");
}

void add_eval_perplexity(CLI::App& app, Action& action) {
  auto o = std::make_shared<EvalPerplexityOptions>();
  CLI::App* command = add_measurement(app, action, "perplexity", "Perplexity of a text by windows",
                                      o, eval_perplexity, print_perplexity);
  CLI::Option_group* input = command->add_option_group("input", "What is scored");
  input->add_option("--text", o->text_file, "File of UTF-8 text");
  input->add_option("--ids", o->ids_file, "File of token ids, one sequence a line");
  input->require_option(1);
  command->add_option("--context", o->context, "Tokens of a window; 0 = the model's context")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--stride", o->stride, "Tokens between windows; 0 = no overlap")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--bos,!--no-bos", o->bos, "Begin each window with the model's BOS");
  command->add_option("--limit-chars", o->limit_chars, "Use this many characters of the text; 0 = all")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--limit-tokens", o->limit_tokens, "Use this many tokens; 0 = all")
      ->check(CLI::NonNegativeNumber);
  command->footer(
      "Example:\n  tern eval perplexity --model tern-stories "
      "--text models/tern-stories/eval.txt --context 512");
}

void add_eval_tasks(CLI::App& app, Action& action) {
  auto o = std::make_shared<EvalTasksOptions>();
  CLI::App* command = add_measurement(app, action, "tasks", "Greedy answers to lines of tasks", o,
                                      eval_tasks, print_tasks);
  command->add_option("--file", o->file, "Lines of {task, prompt, answer, check}")->required();
  command->add_option("--max-tokens", o->max_tokens, "Longest answer")->check(CLI::PositiveNumber);
  command->add_flag("--items", o->items, "List every item with its text");
  command->footer(
      "Example:\n  tern eval tasks --model tern-stories "
      "--file models/tern-stories/tasks.jsonl");
}

}  // namespace tern
