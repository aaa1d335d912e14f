#include "engine/text/chat_template_files.h"

#include <algorithm>
#include <filesystem>

#include "engine/io/json_parse.h"
#include "engine/io/lenient_json.h"
#include "engine/io/mapped_file.h"
#include "engine/text/tokenizer_config.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMaxTemplateBytes = size_t(1) << 20;
constexpr const char* kDefault = "default";

// An empty object where there is no such file.
Result<json> read_object(const std::string& path) {
  const Result<std::string> text = read_text_file(path);
  if (text.status().code() == Code::kNotFound) return json::object();
  TERN_TRY(text.status());
  TERN_ASSIGN(json object, parse_lenient_json(*text, path));
  if (!object.is_object()) return invalid_argument(path + ": must be a JSON object");
  return object;
}

Result<std::vector<ChatTemplateSource>> read_template_files(const std::string& directory) {
  std::vector<std::pair<std::string, std::string>> files;  // name and path
  std::error_code ignored;
  // A link to nothing counts, too: reading it tells so.
  if (fs::exists(fs::symlink_status(directory + "/chat_template.jinja", ignored)))
    files.emplace_back(kDefault, directory + "/chat_template.jinja");
  for (const auto& entry :
       fs::directory_iterator(directory + "/additional_chat_templates", ignored))
    if (entry.path().extension() == ".jinja")
      files.emplace_back(entry.path().stem().string(), entry.path().string());
  std::vector<ChatTemplateSource> sources;
  for (auto& [name, path] : files) {
    TERN_ASSIGN(ChatTemplateSource source, read_chat_template_file(std::move(name), path));
    sources.push_back(std::move(source));
  }
  return sources;
}

// The member `chat_template`: a text, {name: text, …} or [{"name": …, "template": …}, …].
std::vector<ChatTemplateSource> templates_of(const json& object, const std::string& path) {
  std::vector<ChatTemplateSource> sources;
  const auto add = [&](const std::string& name, const json& text) {
    if (text.is_string() && text != "")
      sources.push_back({name, text.get<std::string>(), path + ": chat_template"});
  };
  const auto found = object.find("chat_template");
  if (found == object.end()) return sources;
  add(kDefault, *found);
  if (found->is_object())
    for (const auto& [name, text] : found->items()) add(name, text);
  if (!found->is_array()) return sources;
  for (const json& named : *found)
    if (named.is_object() && named.value("name", json()).is_string())
      add(named["name"].get<std::string>(), named.value("template", json()));
  return sources;
}

}  // namespace

Result<ChatTemplateSource> read_chat_template_file(std::string name, const std::string& path) {
  TERN_ASSIGN(std::string text, read_text_file(path, kMaxTemplateBytes));
  return ChatTemplateSource{std::move(name), std::move(text), path};
}

Result<std::unique_ptr<ChatRenderer>> read_chat_templates(const std::string& directory,
                                                          const std::string& file) {
  const std::string config_path = directory + "/tokenizer_config.json";
  TERN_ASSIGN(const json config, read_object(config_path));
  std::vector<ChatTemplateSource> sources;
  if (!file.empty()) {
    TERN_ASSIGN(ChatTemplateSource source, read_chat_template_file(kDefault, file));
    sources = {std::move(source)};
  } else {
    TERN_ASSIGN(sources, read_template_files(directory));
  }
  if (sources.empty()) sources = templates_of(config, config_path);
  if (sources.empty()) {
    const std::string path = directory + "/chat_template.json";  // of processors
    TERN_ASSIGN(const json object, read_object(path));
    sources = templates_of(object, path);
  }
  if (sources.empty()) return std::unique_ptr<ChatRenderer>();

  TERN_ASSIGN(nlohmann::ordered_json tokens, read_special_tokens(directory));
  return std::make_unique<ChatRenderer>(sources, std::move(tokens));
}

}  // namespace tern
