// tern bench roofline: what this machine can do at most.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/roofline.h"
#include "cli/commands.h"
#include "cli/support/output.h"

namespace tern {
namespace {

void print(const nlohmann::json& r) {
  print_machine(r);
  Table table({"what", "isa", "threads", "best", "median", ""});
  for (const auto& row : r["rows"]) {
    const bool bytes = row.contains("gb_per_s");
    table.add({row["what"], row["isa"], std::to_string(row["threads"].get<int>()),
               fixed(row[bytes ? "gb_per_s" : "gop_per_s"], 1), fixed(row["median"], 1),
               bytes ? "GB/s" : "Gop/s"});
  }
  table.print();
}

}  // namespace

void add_bench_roofline(CLI::App& app, Action& action) {
  auto o = std::make_shared<RooflineOptions>();
  auto as_json = std::make_shared<bool>(false);
  CLI::App& group = command_group(app, "bench", "Measure how fast tern is");
  CLI::App* command = group.add_subcommand(
      "roofline", "How fast this machine reads memory and multiplies, at most");
  command->add_option("--threads", o->num_threads, "Threads, beside one; 0 = all CPUs")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--json", *as_json, "Print one JSON document");
  command->footer("Example:\n  tern bench roofline");
  command->callback([o, as_json, &action] {
    action = [=] {
      const Result<nlohmann::json> result = [&] {
        ProgressBar bar("bench roofline");
        return bench_roofline(*o, [&](double fraction) { bar.update(fraction); });
      }();
      if (!result.ok()) return fail(result.status());
      *as_json ? print_json(*result) : print(*result);
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace tern
