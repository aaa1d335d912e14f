// tern bench step: engine speed without a server.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/step.h"
#include "cli/commands.h"
#include "cli/support/load_bar.h"
#include "cli/support/output.h"

namespace tern {
namespace {

void print(const nlohmann::json& r) {
  std::printf("%s (%s) on %s, %s, %d threads\n", r["model"].get<std::string>().c_str(),
              r["format"].get<std::string>().c_str(), r["cpu"].get<std::string>().c_str(),
              r["isa"].get<std::string>().c_str(), r["threads"].get<int>());
  std::printf("%-8s %6s %14s %14s %10s %10s %10s %10s\n", "phase", "batch", "tokens/s", "best",
              "p50 ms", "min ms", "forward", "sampling");
  for (const auto& row : r["rows"]) {
    std::printf("%-8s %6d %14.1f %14.1f %10.3f %10.3f", row["phase"].get<std::string>().c_str(),
                row["batch"].get<int>(), row["tokens_per_s"].get<double>(),
                row["best_tokens_per_s"].get<double>(), row["p50_ms"].get<double>(),
                row["min_ms"].get<double>());
    if (row.contains("sampling_ms"))
      std::printf(" %10.3f %10.3f", row["forward_ms"].get<double>(),
                  row["sampling_ms"].get<double>());
    std::printf("\n");
  }
  if (r.contains("dram_gb_per_s")) {
    std::printf("\nmemory is read at %.1f GB/s\n", r["dram_gb_per_s"].get<double>());
    for (const auto& row : r["rows"])
      if (row.contains("dram_share"))
        std::printf("  decode step of batch %-3d weights at %.1f GB/s, %.0f %% of that\n",
                    row["batch"].get<int>(), row["gb_per_s"].get<double>(),
                    row["dram_share"].get<double>() * 100);
  }
  for (const auto& row : r["rows"]) {
    if (!row.contains("kernels")) continue;
    std::printf("\ndecode step of batch %d: kernels %.1f us, beyond them %.1f us\n",
                row["batch"].get<int>(), row["kernels_us"].get<double>(),
                row["beyond_kernels_us"].get<double>());
    for (const auto& k : row["kernels"])
      std::printf("  %-18s %-22s %5d calls %10.1f us\n", k["op"].get<std::string>().c_str(),
                  k["kernel"].get<std::string>().c_str(), k["calls"].get<int>(),
                  k["us"].get<double>());
  }
}

}  // namespace

void add_bench_step(CLI::App& app, Action& action) {
  auto o = std::make_shared<BenchStepOptions>();
  auto as_json = std::make_shared<bool>(false);
  CLI::App& group = command_group(app, "bench", "Measure how fast tern is");
  CLI::App* command = group.add_subcommand("step", "Prefill and decode speed by batch size");
  command->add_option("--model", o->model, "Model directory or name of a bundled model")
      ->required();
  command->add_option("--compute", o->compute, "default, fast or f32")
      ->check(CLI::IsMember({"default", "fast", "f32"}));
  command->add_option("--threads", o->num_threads, "Threads; 0 = all CPUs")
      ->check(CLI::Range(0, 1024));
  command->add_option("--device", o->device, "cpu, or the device of a plug-in: cuda:1");
  command->add_option("--prefill", o->prefill, "Prompt tokens of each sequence");
  command->add_option("--decode", o->decode, "Tokens that each sequence generates");
  command->add_option("--batch", o->batch, "Batch sizes: 1,4,16")->delimiter(',');
  command->add_option("--repeat", o->repeat, "Rounds over all batch sizes");
  command->add_option("--seed", o->seed, "Of the random prompts");
  command->add_option("--temperature", o->temperature, "Of every sequence; 0 = greedy");
  command->add_option("--top-p", o->top_p, "Of every sequence; 1 = off");
  command->add_option("--top-k", o->top_k, "Of every sequence; 0 = off");
  command->add_flag("--profile", o->profile, "Time every kernel of the decode steps too");
  command->add_flag("--dram", o->dram, "Measure memory too, and the share of it that decode gets");
  command->add_flag("--json", *as_json, "Print one JSON document");
  command->footer("Example:\n  tern bench step --model tern-stories --batch 1,4,16");
  command->callback([o, as_json, &action] {
    action = [=] {
      Result<nlohmann::json> result = [&] {
        o->on_load = show_loading();
        ProgressBar bar("bench step");
        return bench_step(*o, [&](double fraction) { bar.update(fraction); });
      }();
      if (!result.ok()) return fail(result.status());
      *as_json ? print_json(*result) : print(*result);
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace tern
