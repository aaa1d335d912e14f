// tern rank train | eval: rankers of prompts by the length of their answers.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/cpu_info.h"
#include "cli/commands.h"
#include "cli/support/output.h"
#include "engine/load/resolve_model.h"
#include "engine/ranker/evaluate.h"
#include "engine/ranker/ranker_file.h"

namespace tern {
namespace {

using nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

const std::map<std::string, RankObjective> kObjectives = {{"pairwise", RankObjective::kPairwise},
                                                          {"pointwise", RankObjective::kPointwise},
                                                          {"listwise", RankObjective::kListwise}};

struct RankOptions {
  std::string data, out, model, ranker = "hashed", objective = "pairwise";
  TrainOptions train;
  int32_t num_folds = 5, num_shuffles = 1;
  bool json = false;
};

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// Mean over all examples, in the quickest of as many rounds as fit into a fifth of a second: what
// else the machine does then lengthens the others.
double us_per_prompt(const Ranker& ranker, const std::vector<RankExample>& examples) {
  const auto begin = SteadyClock::now();
  double best = std::numeric_limits<double>::infinity();
  volatile double kept = 0;  // so that the compiler leaves the scores where they are
  do {
    const auto round = SteadyClock::now();
    double sum = 0;
    for (const RankExample& example : examples) sum += double(ranker.score({example.prompt, 1}));
    kept = sum;
    best = std::min(best, seconds_since(round));
  } while (seconds_since(begin) < 0.2);
  (void)kept;
  return best / double(examples.size()) * 1e6;
}

std::string version_text(const Ranker& ranker) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(ranker.version()));
  return text;
}

json to_json(const RankQuality& quality) {
  json bins = json::array();
  for (const CalibrationBin& bin : quality.calibration)
    bins.push_back({{"count", bin.count}, {"predicted", bin.predicted}, {"actual", bin.actual}});
  return {{"tau", quality.tau},
          {"tau_by_fold", quality.tau_by_fold},
          {"pair_accuracy", quality.pair_accuracy},
          {"calibration", bins}};
}

void print_quality(const json& r) {
  std::printf("tau-b          %.4f", r["tau"].get<double>());
  if (r["tau_by_fold"].size() > 1) {
    std::printf("  (mean of %zu folds:", r["tau_by_fold"].size());
    for (const json& tau : r["tau_by_fold"]) std::printf(" %.3f", tau.get<double>());
    std::printf(")");
  }
  std::printf("\npair accuracy  %.4f  (pairs whose lengths differ by %g or more)\n",
              r["pair_accuracy"].get<double>(), r["delta"].get<double>());
  std::printf("cost           %.2f us a prompt, on %s\n\n", r["us_per_prompt"].get<double>(),
              r["cpu"].get<std::string>().c_str());
  Table table({"decile", "prompts", "predicted", "actual"});
  int number = 0;
  for (const json& bin : r["calibration"])
    table.add({std::to_string(++number), std::to_string(bin["count"].get<int64_t>()),
               fixed(bin["predicted"], 1), fixed(bin["actual"], 1)});
  table.print();
}

Result<json> train(const RankOptions& o) {
  TERN_ASSIGN(const std::string text, read_text(o.data));
  TERN_ASSIGN(const std::vector<RankExample> examples, parse_rank_examples(text, o.data));
  const auto begin = SteadyClock::now();
  Result<HashedRanker> ranker = train_ranker(make_rank_set(examples), o.train);
  if (!ranker.ok()) return ranker.status().with_context(o.data);
  const double seconds = seconds_since(begin);
  TERN_TRY(save_ranker(*ranker, o.out));
  json knots = json::array();
  for (const LengthKnot& knot : ranker->curve().knots())
    knots.push_back({{"score", knot.score}, {"tokens", knot.tokens}});
  return json{{"out", o.out},
              {"ranker", ranker->name()},
              {"version", version_text(*ranker)},
              {"examples", examples.size()},
              {"bytes", std::filesystem::file_size(o.out)},
              {"seconds", seconds},
              {"curve", knots}};
}

void print_trained(const json& r) {
  std::printf("%s: ranker %s, version %s, from %zu examples in %.1f s (%s)\n\n",
              r["out"].get<std::string>().c_str(), r["ranker"].get<std::string>().c_str(),
              r["version"].get<std::string>().c_str(), r["examples"].get<size_t>(),
              r["seconds"].get<double>(), format_bytes(r["bytes"]).c_str());
  Table table({"score", "expected length"});
  for (const json& knot : r["curve"])
    table.add({fixed(knot["score"], 2), fixed(knot["tokens"], 1)});
  table.print();
}

Result<json> judge_file(const RankOptions& o, const std::vector<RankExample>& examples) {
  TERN_ASSIGN(const std::string path, resolve_ranker(o.model));
  TERN_ASSIGN(const std::unique_ptr<Ranker> ranker, open_ranker(path));
  json result = to_json(judge(*ranker, examples, o.train.delta));
  result["us_per_prompt"] = us_per_prompt(*ranker, examples);
  result["ranker"] = ranker->name();
  result["version"] = version_text(*ranker);
  return result;
}

Result<json> judge_folds(const RankOptions& o, const std::vector<RankExample>& examples) {
  const RankSet set = make_rank_set(examples);
  Result<HashedRanker> ranker = train_ranker(set, o.train);  // all cost the same
  if (!ranker.ok()) return ranker.status().with_context(o.data);
  ProgressBar bar("rank eval");
  Result<RankQuality> quality = cross_validate(set, o.train, o.num_folds, o.num_shuffles,
                                               [&](double fraction) { bar.update(fraction); });
  if (!quality.ok()) return quality.status().with_context(o.data);
  json result = to_json(*quality);
  result["us_per_prompt"] = us_per_prompt(*ranker, examples);
  result["objective"] = o.objective;
  result["folds"] = o.num_folds;
  result["shuffles"] = o.num_shuffles;
  return result;
}

Result<json> evaluate(const RankOptions& o) {
  TERN_ASSIGN(const std::string text, read_text(o.data));
  TERN_ASSIGN(const std::vector<RankExample> examples, parse_rank_examples(text, o.data));
  TERN_ASSIGN(json result, o.model.empty() ? judge_folds(o, examples) : judge_file(o, examples));
  result["examples"] = examples.size();
  result["delta"] = o.train.delta;
  result["cpu"] = cpu_info().model_name;
  return result;
}

void add_training_options(CLI::App& command, RankOptions& o) {
  command.add_option("--ranker", o.ranker, "What kind of ranker")->check(CLI::IsMember({"hashed"}));
  command.add_option("--objective", o.objective, "pairwise, pointwise or listwise")
      ->check(CLI::IsMember(kObjectives));
  command.add_option("--margin", o.train.margin, "Of the pairwise loss")
      ->check(CLI::PositiveNumber);
  command.add_option("--epochs", o.train.epochs, "Passes over the examples")
      ->check(CLI::PositiveNumber);
  command.add_option("--seed", o.train.seed, "Of all that is random");
}

void add_data_options(CLI::App& command, RankOptions& o) {
  command
      .add_option("--data", o.data,
                  "Lines of JSON, each with a prompt and the length of its answer; - is stdin")
      ->required();
  command
      .add_option("--delta", o.train.delta,
                  "Pairs of lengths that differ by a smaller share do not count")
      ->check(CLI::Range(0.0, 0.99));
  command.add_flag("--json", o.json, "Print one JSON document");
}

void set_action(CLI::App& command, Action& action, std::shared_ptr<RankOptions> o,
                Result<json> (*work)(const RankOptions&), void (*print)(const json&)) {
  command.callback([o, work, print, &action] {
    action = [=] {
      o->train.objective = kObjectives.at(o->objective);
      const Result<json> result = work(*o);
      if (!result.ok()) return fail(result.status());
      o->json ? print_json(*result) : print(*result);
      return static_cast<int>(kExitDone);
    };
  });
}

CLI::App& rank_group(CLI::App& app) {
  return command_group(app, "rank", "Rank prompts by the length of their answers");
}

}  // namespace

void add_rank_train(CLI::App& app, Action& action) {
  auto o = std::make_shared<RankOptions>();
  CLI::App* command = rank_group(app).add_subcommand("train", "Train a ranker");
  add_data_options(*command, *o);
  command->add_option("--out", o->out, "File to make")->required();
  add_training_options(*command, *o);
  command->footer("Example:\n  tern rank train --data lengths.jsonl --out my.ranker");
  set_action(*command, action, o, train, print_trained);
}

void add_rank_eval(CLI::App& app, Action& action) {
  auto o = std::make_shared<RankOptions>();
  CLI::App* command =
      rank_group(app).add_subcommand("eval", "Judge a ranker, or its training by cross-validation");
  add_data_options(*command, *o);
  CLI::Option* model =
      command->add_option("--model", o->model, "Ranker's file, or a bundled one's name");
  CLI::Option* folds =
      command
          ->add_option("--folds", o->num_folds, "Parts; each is scored by a ranker of the others")
          ->check(CLI::Range(2, 1000));
  CLI::Option* shuffles =
      command->add_option("--shuffles", o->num_shuffles, "How often other parts are cut")
          ->check(CLI::Range(1, 1000));
  model->excludes(folds)->excludes(shuffles);
  add_training_options(*command, *o);
  command->footer(
      "Example:\n  tern rank eval --data lengths.jsonl --folds 5 --shuffles 5\n"
      "  tern rank eval --data lengths.jsonl --model my.ranker");
  set_action(*command, action, o, evaluate, print_quality);
}

}  // namespace tern
