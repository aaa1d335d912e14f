// tern make-random: a checkpoint of random weights.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/files/make_random.h"
#include "cli/support/output.h"

namespace tern {

void add_make_random(CLI::App& app, Action& action) {
  auto options = std::make_shared<MakeRandomOptions>();
  auto as_json = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("make-random", "Write a checkpoint of random weights of any shape");
  command->add_option("--config", options->config_file, "config.json of the shape")->required();
  command->add_option("--out", options->out, "Directory to make")->required();
  command->add_option("--seed", options->seed, "Seed of the weights")->capture_default_str();
  command->add_option("--dtype", options->dtype, "bf16, f32 or f16 [bf16]")
      ->transform(CLI::CheckedTransformer(std::map<std::string, DType>{
          {"bf16", DType::kBf16}, {"f32", DType::kF32}, {"f16", DType::kF16}}))
      ->option_text("TYPE");
  command->add_flag("--json", *as_json, "Print one JSON document");
  command->footer("Example:\n  tern make-random --config config.json --out random --seed 1");
  command->callback([options, as_json, &action] {
    action = [options, as_json] {
      const Result<nlohmann::json> result = [&] {
        ProgressBar bar("make-random");
        return make_random(*options, [&](double fraction) { bar.update(fraction); });
      }();
      if (!result.ok()) return fail(result.status());
      if (*as_json)
        print_json(*result);
      else
        std::printf("%s: %llu tensors, %s\n", options->out.c_str(),
                    (*result)["tensors"].get<unsigned long long>(),
                    format_bytes((*result)["bytes"].get<uint64_t>()).c_str());
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace tern
