#include "engine/runtime/loader.h"

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace tern {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A token as tokenizer_config.json writes it: a string, or an object with its content.
std::string token_content(const json& token) {
  if (token.is_string()) return token.get<std::string>();
  if (token.is_object() && token.contains("content") && token["content"].is_string())
    return token["content"].get<std::string>();
  return {};
}

// The template's text: a string, or a list of named ones of which "default" counts.
std::string template_source(const json& tokenizer_config) {
  const auto it = tokenizer_config.find("chat_template");
  if (it == tokenizer_config.end()) return {};
  if (it->is_string()) return it->get<std::string>();
  if (!it->is_array()) return {};
  for (const json& named : *it)
    if (named.is_object() && named.value("name", json()) == "default" &&
        named.value("template", json()).is_string())
      return named["template"].get<std::string>();
  return {};
}

Status read_chat_template(const std::string& directory, const std::string& file,
                          const json& tokenizer_config, ModelAssets& assets) {
  std::string path = file, source;
  if (path.empty() && fs::exists(directory + "/chat_template.jinja"))
    path = directory + "/chat_template.jinja";
  if (path.empty()) {
    path = directory + "/tokenizer_config.json: chat_template";
    source = template_source(tokenizer_config);
  } else {
    TERN_ASSIGN(source, read_text_file(path, size_t(1) << 20));
  }
  if (source.empty()) return {};
  Result<ChatTemplate> parsed = ChatTemplate::parse(source);
  if (!parsed.ok()) return parsed.status().with_context(path);
  assets.chat_template = std::make_unique<ChatTemplate>(*std::move(parsed));
  json variables = json::object();
  for (const char* key : {"bos_token", "eos_token", "pad_token", "unk_token"})
    if (tokenizer_config.contains(key)) variables[key] = token_content(tokenizer_config[key]);
  assets.chat_template_variables = variables.dump();
  assets.info.has_chat_template = true;
  return {};
}

Status read_text_assets(const std::string& directory, const std::string& chat_template_file,
                        ModelAssets& assets) {
  if (!fs::exists(directory + "/tokenizer.json")) return {};
  TERN_ASSIGN(assets.tokenizer, load_tokenizer(directory));
  json tokenizer_config = json::object();
  if (fs::exists(directory + "/tokenizer_config.json")) {
    TERN_ASSIGN(tokenizer_config, read_json_file(directory + "/tokenizer_config.json"));
    if (!tokenizer_config.is_object())
      return invalid_argument(directory + "/tokenizer_config.json: must be a JSON object");
  }
  return read_chat_template(directory, chat_template_file, tokenizer_config, assets);
}

template <class T>
void read_default(const json& object, const char* key, std::optional<T>& out) {
  const auto it = object.find(key);
  if (it != object.end() && it->is_number()) out = it->get<T>();
}

Status read_generation_config(const std::string& path, ModelInfo& info) {
  if (!fs::exists(path)) return {};
  TERN_ASSIGN(const json object, read_json_file(path));
  if (!object.is_object()) return invalid_argument(path + ": must be a JSON object");
  const auto eos = object.find("eos_token_id");
  if (eos != object.end() && !eos->is_null()) {
    std::vector<int32_t> ids;  // this file's list replaces config.json's, as transformers does
    for (const json& id : eos->is_array() ? *eos : json::array({*eos})) {
      if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= info.vocab_size)
        return invalid_argument(path + ": eos_token_id: must be token ids below " +
                                std::to_string(info.vocab_size) + ", is " + eos->dump());
      ids.push_back(id.get<int32_t>());
    }
    info.eos_token_ids = ids;
  }
  const auto do_sample = object.find("do_sample");
  if (do_sample != object.end() && *do_sample == false) {
    info.default_sampling.temperature = 0.0f;
    return {};
  }
  SamplingDefaults& defaults = info.default_sampling;
  read_default(object, "temperature", defaults.temperature);
  read_default(object, "top_k", defaults.top_k);
  read_default(object, "top_p", defaults.top_p);
  read_default(object, "min_p", defaults.min_p);
  SamplingParams trial;  // a default out of range would fail every request: say so at load
  trial.temperature = defaults.temperature.value_or(trial.temperature);
  trial.top_k = defaults.top_k.value_or(trial.top_k);
  trial.top_p = defaults.top_p.value_or(trial.top_p);
  trial.min_p = defaults.min_p.value_or(trial.min_p);
  return trial.validate().with_context(path);
}

}  // namespace

Result<ModelFiles> read_model_files(const std::string& directory, const std::string& config_file,
                                    const std::string& chat_template_file) {
  if (!fs::is_directory(directory))
    return Status(Code::kNotFound, directory + ": no such model directory");
  ModelFiles files;
  TERN_ASSIGN(files.config,
              read_model_config(config_file.empty() ? directory + "/config.json" : config_file));
  ModelInfo& info = files.assets.info;
  info.name = fs::path(directory).lexically_normal().filename().string();
  if (info.name.empty())
    info.name = fs::path(directory).lexically_normal().parent_path().filename().string();
  info.architecture = files.config.architecture;
  info.vocab_size = files.config.vocab_size;
  info.max_model_len = files.config.max_position_embeddings;
  info.eos_token_ids = files.config.eos_token_ids;
  TERN_TRY(read_text_assets(directory, chat_template_file, files.assets));
  TERN_TRY(read_generation_config(directory + "/generation_config.json", info));
  return files;
}

Result<LoadedModel> load_weights(const std::string& directory, const ModelConfig& config,
                                 int32_t max_model_len, int32_t num_threads, Isa isa,
                                 const LoadFraction& on_progress) {
  TERN_ASSIGN(Checkpoint checkpoint, Checkpoint::open(directory));
  LoadedModel loaded;
  loaded.pool = std::make_shared<ThreadPool>(num_threads > 0 ? num_threads : cpu_info().num_cpus);
  const LoadOptions options{.max_model_len = max_model_len,
                            .ex = {.device = Device::kCpu, .isa = isa, .pool = loaded.pool.get()},
                            .on_progress = on_progress};
  TERN_ASSIGN(std::unique_ptr<Model> model,
              load_model(config, std::make_shared<Checkpoint>(std::move(checkpoint)), options));
  loaded.model = std::move(model);
  return loaded;
}

Result<std::string> resolve_model(const std::string& name_or_path) {
  if (name_or_path.empty()) return invalid_argument("model: must be a directory or a bundled name");
  if (fs::exists(name_or_path)) return name_or_path;
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
      if (fs::is_directory(candidate)) return candidate.string();
      tried += ", " + candidate.string();
    }
  }
  return Status(Code::kNotFound, "no model at " + tried);
}

}  // namespace tern
