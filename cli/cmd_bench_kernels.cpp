// tern bench kernels: every kernel against what the machine allows.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/kernels.h"
#include "cli/commands.h"
#include "cli/support/output.h"

namespace tern {
namespace {

void print(const nlohmann::json& r) {
  print_machine(r);
  for (const auto& limit : r["roofline"])
    std::printf("%s%s (%s) %s", limit == r["roofline"].front() ? "at most: " : ", ",
                limit["what"].get<std::string>().c_str(), limit["isa"].get<std::string>().c_str(),
                limit.contains("gb_per_s") ? (fixed(limit["gb_per_s"], 1) + " GB/s").c_str()
                                           : (fixed(limit["gop_per_s"], 1) + " Gop/s").c_str());
  std::printf("\n\n");
  Table table(
      {"op", "kernel", "format", "shape", "us", "best us", "GB/s", "GFLOP/s", "share", "bound"});
  for (const auto& row : r["rows"])
    table.add({row["op"], row["kernel"], row["format"], row["shape"], fixed(row["us"], 1),
               fixed(row["best_us"], 1), fixed(row["gb_per_s"], 1), fixed(row["gflop_per_s"], 1),
               row["roofline_share"].is_null() ? "" : fixed(row["roofline_share"], 2),
               row["bound"]});
  table.print();
}

}  // namespace

void add_bench_kernels(CLI::App& app, Action& action) {
  auto o = std::make_shared<BenchKernelsOptions>();
  auto as_json = std::make_shared<bool>(false);
  CLI::App& group = command_group(app, "bench", "Measure how fast tern is");
  CLI::App* command =
      group.add_subcommand("kernels", "Every kernel against what this machine allows");
  command->add_option("--op", o->op, "This operation alone: gemm, attention, …");
  command->add_option("--format", o->format, "This weight format alone: bf16, int4_g32, …");
  command->add_option("--shape", o->shape, "Instead of the default shapes of --op")
      ->option_text("MxNxK");
  command->add_option("--isa", o->isa, "Kernels of this instruction set alone: avx2, …");
  command->add_option("--device", o->device, "Kernels of this device: cpu, or a plug-in's");
  command->add_option("--threads", o->num_threads, "Threads; 0 = all CPUs")
      ->check(CLI::Range(0, 1024));
  command->add_option("--repeat", o->repeat, "Samples of a kernel; fewer where it takes long")
      ->check(CLI::Range(1, 1000000));
  command->add_flag("--json", *as_json, "Print one JSON document");
  command->footer(
      "Shapes: gemm MxNxK (tokens, outputs, inputs); quantize_input MxK; rmsnorm,\n"
      "gated_activation, softcap, add, embed MxN (tokens, columns); rope, kv_write MxHxD (tokens,\n"
      "heads, head_dim); attention BxQxC (sequences, rows of each, positions of each).\n"
      "Example:\n  tern bench kernels --op gemm --format bf16 --shape 1x4096x4096");
  command->callback([o, as_json, &action] {
    if (const Status wrong = check_bench_kernels(*o); wrong.code() == Code::kInvalidArgument)
      throw CLI::ValidationError(wrong.message());
    action = [=] {
      const Result<nlohmann::json> result = [&] {
        ProgressBar bar("bench kernels");
        return bench_kernels(*o, [&](double fraction) { bar.update(fraction); });
      }();
      if (!result.ok()) return fail(result.status());
      *as_json ? print_json(*result) : print(*result);
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace tern
