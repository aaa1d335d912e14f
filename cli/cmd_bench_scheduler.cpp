// tern bench scheduler: what a scheduling decision costs.
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/scheduler.h"
#include "cli/commands.h"
#include "cli/support/output.h"

namespace tern {
namespace {

void print(const nlohmann::json& result) {
  std::printf("%s\n", result["cpu"].get<std::string>().c_str());
  Table table({"policy", "waiting", "median", "p99", ""});
  for (const auto& row : result["rows"])
    table.add({row["policy"], std::to_string(row["waiting"].get<int>()), fixed(row["p50_us"], 1),
               fixed(row["p99_us"], 1), "us a step"});
  table.print();
}

}  // namespace

void add_bench_scheduler(CLI::App& app, Action& action) {
  auto o = std::make_shared<BenchSchedulerOptions>();
  auto as_json = std::make_shared<bool>(false);
  CLI::App& group = command_group(app, "bench", "Measure how fast tern is");
  CLI::App* command = group.add_subcommand(
      "scheduler", "What a step costs the scheduler that admits, ends and scores a request");
  command->add_option("--policy", o->policies, "Policies: fcfs,pars; all of them [unset]")
      ->delimiter(',');
  command->add_option("--waiting", o->waiting, "Requests that wait: 100,10000")
      ->delimiter(',')
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--steps", o->steps, "Steps that are timed, for each policy and number")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--running", o->num_running, "Requests that run")->check(CLI::Range(1, 1024));
  command->add_option("--prompt", o->prompt_tokens, "Prompt tokens of each request")
      ->check(CLI::Range(1, 4096));
  command->add_option("--seed", o->seed, "Of the random requests");
  command->add_flag("--json", *as_json, "Print one JSON document");
  command->footer("Example:\n  tern bench scheduler --waiting 100,10000,100000");
  command->callback([o, as_json, &action] {
    action = [=] {
      const Result<nlohmann::json> result = [&] {
        ProgressBar bar("bench scheduler");
        return bench_scheduler(*o, [&](double fraction) { bar.update(fraction); });
      }();
      if (!result.ok()) return fail(result.status());
      *as_json ? print_json(*result) : print(*result);
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace tern
