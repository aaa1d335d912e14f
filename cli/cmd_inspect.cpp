// tern inspect: what a model directory holds.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/files/inspect.h"
#include "cli/support/output.h"

namespace tern {
namespace {

struct Options {
  std::string model;
  bool tensors = false, json = false;
};

void print(const nlohmann::json& r, bool tensors) {
  const auto text = [&](const char* key) { return r[key].get<std::string>(); };
  const auto count = [&](const char* key) { return r[key].get<long long>(); };
  std::printf("%-16s%s (%s)\n", "model", text("name").c_str(), text("architecture").c_str());
  std::printf("%-16s%s\n", "directory", text("directory").c_str());
  std::printf("%-16s%lld in %zu tensors\n", "parameters", count("parameters"), r["tensors"].size());
  for (const auto& [format, bytes] : r["bytes_by_format"].items())
    std::printf("%-16s%s as %s\n", "weights", format_bytes(bytes.get<uint64_t>()).c_str(),
                format.c_str());
  std::printf("%-16s%lld layers, hidden %lld, %lld heads of %lld, %lld KV heads, vocabulary %lld\n",
              "shape", count("layers"), count("hidden"), count("heads"), count("head_dim"),
              count("kv_heads"), count("vocab_size"));
  std::printf("%-16s%lld tokens, %s of KV cache each\n", "context", count("context"),
              format_bytes(r["kv_bytes_per_token"].get<uint64_t>()).c_str());
  std::printf("%-16s%s\n", "tokenizer", r["tokenizer"].get<bool>() ? "yes" : "no");
  std::printf("%-16s%s\n", "chat template", r["chat_template"].get<bool>() ? "yes" : "no");
  for (const auto& problem : r["chat_template_problems"])
    std::printf("%-16s%s\n", "", problem.get<std::string>().c_str());
  if (!tensors) return;
  for (const auto& t : r["tensors"])
    std::printf("  %-56s %-6s %s\n", t["name"].get<std::string>().c_str(),
                t["dtype"].get<std::string>().c_str(), t["shape"].dump().c_str());
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "What a model directory holds");
  command->add_option("--model", options->model, "Model directory or name of a bundled model")
      ->required();
  command->add_flag("--tensors", options->tensors, "List the tensors");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:\n  tern inspect --model tern-stories");
  command->callback([options, &action] {
    action = [options] {
      const Result<nlohmann::json> result = inspect_model(options->model);
      if (!result.ok()) return fail(result.status());
      options->json ? print_json(*result) : print(*result, options->tensors);
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace tern
