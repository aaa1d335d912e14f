#include "engine/load/loader.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "engine/io/checkpoint.h"
#include "engine/io/text_weights.h"
#include "engine/load/generation_config.h"
#include "engine/load/loader_gguf.h"
#include "engine/model/gguf_config.h"
#include "engine/text/chat_template_files.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Status read_text_assets(const std::string& directory, const std::string& chat_template_file,
                        ModelAssets& assets) {
  constexpr const char* kFiles[] = {"tokenizer.json", "tokenizer.model", "vocab.json",
                                    "tekken.json"};
  const auto stands = [&](const char* file) {  // a link to nothing, too: reading it tells so
    std::error_code ignored;
    return fs::exists(fs::symlink_status(directory + "/" + file, ignored));
  };
  if (std::ranges::none_of(kFiles, stands)) return {};
  TERN_ASSIGN(assets.tokenizer, load_tokenizer(directory));
  TERN_ASSIGN(assets.chat, read_chat_templates(directory, chat_template_file));
  return {};
}

// Templates that cannot be used cost the chats that need them, not the start.
void look_at_templates(ModelAssets& assets) {
  if (assets.chat == nullptr) return;
  assets.info.has_chat_template = assets.chat->find(false).ok();
  const bool plain = assets.chat->find(false).ok(), tools = assets.chat->find(true).ok();
  const char* lost = plain   ? "chat requests with tools"
                     : tools ? "chat requests without tools"
                             : "chat requests";
  for (const Status& problem : assets.chat->problems()) {
    if (plain && tools)
      spdlog::info("a chat template that no request needs: {}", problem.message());
    else
      spdlog::warn("{} will be refused: {}", lost, problem.message());
  }
}

/// load_model(), whose complaints about shapes say which sizes the config left to defaults.
Result<std::unique_ptr<Model>> load_shaped(const ModelConfig& config,
                                           std::shared_ptr<const WeightSource> weights,
                                           const LoadOptions& options) {
  auto model = load_model(config, std::move(weights), options);
  if (model.ok() || config.default_sizes.empty()) return model;
  return Status(model.status().code(), model.status().message() + "; " + config.source +
                                           " lacks sizes, for which the defaults of " +
                                           config.architecture + " count: " + config.default_sizes);
}

/// What a directory is called, however it is written: "dir/", ".", "dir/..".
std::string name_of(const std::string& directory) {
  std::error_code ignored;
  const fs::path path = fs::absolute(directory, ignored).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// The weights of `directory`: where `config` is a multimodal one's, those of its text model, which
/// settle whether the head is the embedding (versions of transformers disagree on where such a
/// config says so).
Result<std::shared_ptr<const WeightSource>> open_text_weights(const std::string& directory,
                                                              ModelConfig& config) {
  TERN_ASSIGN(std::shared_ptr<const WeightSource> weights, open_weights(directory));
  if (!config.is_text_part) return weights;
  weights = make_text_weights(std::move(weights));
  config.tie_word_embeddings = std::ranges::none_of(
      weights->tensors(), [](const TensorInfo& t) { return t.name == "lm_head.weight"; });
  return weights;
}

}  // namespace

Status check_chat_template_file(const std::string& path) {
  return read_chat_template_file("default", path).status();
}

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
  info.name = name_of(model);
  info.architecture = files.config.architecture;
  info.vocab_size = files.config.vocab_size;
  info.max_model_len = files.config.max_position_embeddings;
  info.eos_token_ids = files.config.eos_token_ids;
  files.assets.published_name = files.config.json->value("_name_or_path", "");
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

Result<LoadedModel> load_weights(const std::string& directory, const ModelConfig& whole_config,
                                 int32_t max_model_len, const ComputeOptions& compute,
                                 const LoadHooks& hooks) {
  TERN_ASSIGN(const Compute arithmetic, parse_compute(compute.compute));
  ModelConfig config = whole_config;
  TERN_ASSIGN(const std::shared_ptr<const WeightSource> weights,
              open_text_weights(directory, config));
  LoadedModel loaded;
  loaded.pool = std::make_shared<ThreadPool>(compute.num_pool_threads());
  LoadOptions options{
      .max_model_len = max_model_len,
      .compute = arithmetic,
      .ex = {.device = compute.device, .isa = compute.isa, .pool = loaded.pool.get()}};
  if (hooks.check) {
    options.plan_only = true;
    TERN_ASSIGN(const std::unique_ptr<Model> planned, load_shaped(config, weights, options));
    TERN_TRY(hooks.check(*planned));
    options.plan_only = false;
  }
  if (hooks.on_progress)
    options.on_progress = [&](uint64_t done, uint64_t total) {
      hooks.on_progress({"weights", done, total});
    };
  TERN_ASSIGN(std::unique_ptr<Model> model, load_shaped(config, weights, options));
  loaded.model = std::move(model);
  return loaded;
}

Result<std::unique_ptr<Model>> plan_weights(const std::string& directory,
                                            const ModelConfig& whole_config, int32_t max_model_len,
                                            const ComputeOptions& compute) {
  TERN_ASSIGN(const Compute arithmetic, parse_compute(compute.compute));
  ModelConfig config = whole_config;
  TERN_ASSIGN(std::shared_ptr<const WeightSource> weights, open_text_weights(directory, config));
  return load_shaped(config, std::move(weights),
                     {.max_model_len = max_model_len,
                      .compute = arithmetic,
                      .ex = {.device = compute.device, .isa = compute.isa},
                      .plan_only = true});
}

}  // namespace tern
