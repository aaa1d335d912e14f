#include "engine/runtime/loader.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "engine/io/checkpoint.h"
#include "engine/model/gguf_config.h"
#include "engine/runtime/generation_config.h"
#include "engine/runtime/loader_gguf.h"
#include "engine/text/chat_template_files.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Status read_text_assets(const std::string& directory, const std::string& chat_template_file,
                        ModelAssets& assets) {
  constexpr const char* kFiles[] = {"tokenizer.json", "tokenizer.model", "vocab.json",
                                    "tekken.json"};
  if (std::ranges::none_of(kFiles, [&](const char* f) { return fs::exists(directory + "/" + f); }))
    return {};
  TERN_ASSIGN(assets.tokenizer, load_tokenizer(directory));
  TERN_ASSIGN(assets.chat, read_chat_templates(directory, chat_template_file));
  return {};
}

// Templates that cannot be used cost chat, not the start.
void look_at_templates(ModelAssets& assets) {
  if (assets.chat == nullptr) return;
  assets.info.has_chat_template = assets.chat->find(false).ok();
  for (const Status& problem : assets.chat->problems())
    spdlog::warn("chat requests will be refused: {}", problem.message());
}

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// The one GGUF file of a directory without config.json, or the directory.
Result<std::string> gguf_in_directory(const std::string& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored) || fs::exists(directory + "/config.json", ignored))
    return directory;
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored))
    if (entry.path().extension() == ".gguf") files.push_back(entry.path().string());
  if (files.size() > 1)
    return invalid_argument(directory + ": holds " + std::to_string(files.size()) +
                            " GGUF files and no config.json: name one of them");
  return files.empty() ? directory : files.front();
}

}  // namespace

Result<ModelConfig> read_config(const std::string& model, const std::string& config_file) {
  if (!config_file.empty()) return read_model_config(config_file);
  if (!is_file(model)) return read_model_config(model + "/config.json");
  TERN_ASSIGN(const GgufFile file, GgufFile::open(model));
  return read_gguf_config(file);
}

Result<std::unique_ptr<Tokenizer>> read_tokenizer(const std::string& model) {
  return is_file(model) ? read_gguf_tokenizer(model) : load_tokenizer(model);
}

Result<ModelFiles> read_model_files(const std::string& model, const std::string& config_file,
                                    const std::string& chat_template_file,
                                    const ProgressFn& on_progress) {
  const auto report = [&](const char* stage) {
    if (on_progress) on_progress({.stage = stage});
  };
  report("config");
  const bool is_gguf = is_file(model);
  if (!is_gguf && !fs::is_directory(model))
    return Status(Code::kNotFound, model + ": no such model directory");
  ModelFiles files;
  TERN_ASSIGN(files.config, read_config(model, config_file));
  ModelInfo& info = files.assets.info;
  info.name = fs::path(model).lexically_normal().filename().string();
  if (info.name.empty())
    info.name = fs::path(model).lexically_normal().parent_path().filename().string();
  info.architecture = files.config.architecture;
  info.vocab_size = files.config.vocab_size;
  info.max_model_len = files.config.max_position_embeddings;
  info.eos_token_ids = files.config.eos_token_ids;
  report("tokenizer");
  if (is_gguf) {
    TERN_TRY(read_gguf_assets(model, chat_template_file, files.assets));
    look_at_templates(files.assets);
    return files;
  }
  TERN_TRY(read_text_assets(model, chat_template_file, files.assets));
  look_at_templates(files.assets);
  for (const std::string& warning : read_generation_config(model + "/generation_config.json", info))
    spdlog::warn("{}", warning);
  return files;
}

Result<LoadedModel> load_weights(const std::string& directory, const ModelConfig& config,
                                 int32_t max_model_len, const ComputeOptions& compute,
                                 const LoadHooks& hooks) {
  TERN_ASSIGN(const Compute arithmetic, parse_compute(compute.compute));
  TERN_ASSIGN(const std::shared_ptr<const WeightSource> weights, open_weights(directory));
  LoadedModel loaded;
  loaded.pool = std::make_shared<ThreadPool>(compute.num_pool_threads());
  LoadOptions options{
      .max_model_len = max_model_len,
      .compute = arithmetic,
      .ex = {.device = Device::kCpu, .isa = compute.isa, .pool = loaded.pool.get()}};
  if (hooks.check) {
    options.plan_only = true;
    TERN_ASSIGN(const std::unique_ptr<Model> planned, load_model(config, weights, options));
    TERN_TRY(hooks.check(*planned));
    options.plan_only = false;
  }
  if (hooks.on_progress)
    options.on_progress = [&](uint64_t done, uint64_t total) {
      hooks.on_progress({"weights", done, total});
    };
  TERN_ASSIGN(std::unique_ptr<Model> model, load_model(config, weights, options));
  loaded.model = std::move(model);
  return loaded;
}

Result<std::string> resolve_model(const std::string& name_or_path) {
  if (name_or_path.empty()) return invalid_argument("model: must be a directory or a bundled name");
  if (fs::exists(name_or_path)) return gguf_in_directory(name_or_path);
  std::string tried = name_or_path;
  if (name_or_path.find('/') == std::string::npos) {
    std::vector<fs::path> roots;
    if (const char* models = std::getenv("TERN_MODELS")) roots.emplace_back(models);
    std::error_code ignored;
    const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
    roots.push_back(program / "../share/tern/models");  // installed
    roots.push_back(program / "../models");             // a build folder in the source tree
    roots.push_back(program / "../../models");
    for (const fs::path& root : roots) {
      const fs::path candidate = (root / name_or_path).lexically_normal();
      if (fs::is_directory(candidate)) return gguf_in_directory(candidate.string());
      tried += ", " + candidate.string();
    }
  }
  return Status(Code::kNotFound, "no model at " + tried);
}

}  // namespace tern
