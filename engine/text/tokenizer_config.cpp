#include "engine/text/tokenizer_config.h"

#include <algorithm>
#include <charconv>

#include "engine/io/json_parse.h"
#include "engine/io/lenient_json.h"
#include "engine/io/mapped_file.h"
#include "engine/text/tokenizer_classes.h"
#include "engine/text/tokenizer_json.h"

namespace tern {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// The names that every tokenizer has, in the order in which their tokens are added.
constexpr std::string_view kNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};
constexpr const char* kAdditional = "additional_special_tokens";
constexpr const char* kExtra = "extra_special_tokens";

struct Files {
  std::string directory;
  ordered_json config = ordered_json::object(), map = ordered_json::object();
  json added = json::object();

  bool lists_all() const { return config.contains("added_tokens_decoder"); }
};

/// An empty object where there is no such file. Names keep their order: tokens are added in it.
Result<ordered_json> read_object(const std::string& path) {
  const Result<std::string> text = read_text_file(path);
  if (text.status().code() == Code::kNotFound) return ordered_json::object();
  TERN_TRY(text.status());
  TERN_ASSIGN(const json object, parse_lenient_json(*text, path));
  if (!object.is_object()) return invalid_argument(path + ": must be a JSON object");
  ordered_json ordered = ordered_json::parse(*text, nullptr, false);
  return ordered.is_object() ? ordered : ordered_json(object);
}

/// Whether a value is "<s>", or {"content": "<s>", …}.
Status check_token(const JsonNode& node) {
  if (node.value().is_string()) return {};
  if (!node.value().is_object()) return node.error("must be a string or an object");
  return read_added_token(node, 0).status();
}

Status check_token_list(const JsonNode& node) {
  const json& value = node.value();
  if (!value.is_array() && !value.is_object()) return node.error("must be an array or an object");
  for (size_t i = 0; value.is_array() && i < value.size(); ++i)
    TERN_TRY(check_token(node.element(i)));
  if (value.is_object())
    for (const auto& [name, token] : value.items())
      TERN_TRY(check_token(JsonNode(token, node.path() + "." + name)));
  return {};
}

/// Whether what `file` names can be tokens. Other names that end with "_token" may be anything, and
/// so may the older list where nothing reads it.
Status check_tokens(const json& file, const std::string& path, bool has_older_list) {
  const JsonNode root(file, path + ": $");
  for (const std::string_view name : kNames)
    if (const auto token = root.find(name)) TERN_TRY(check_token(*token));
  auto tokens = root.find(kExtra);
  const auto older = root.find(kAdditional);
  const bool is_empty = !tokens || tokens->value().empty();
  if (has_older_list && is_empty && older) tokens = older;
  return tokens ? check_token_list(*tokens) : Status();
}

/// An object that names tokens.
Result<ordered_json> read_names(const std::string& path, bool has_older_list) {
  TERN_ASSIGN(ordered_json object, read_object(path));
  TERN_TRY(check_tokens(object, path, has_older_list));
  return object;
}

/// The older files count where the configuration does not list all tokens itself.
Result<Files> read_files(const std::string& directory) {
  Files files{.directory = directory};
  TERN_ASSIGN(files.config, read_names(directory + "/tokenizer_config.json", true));
  if (files.lists_all()) return files;
  TERN_ASSIGN(files.map, read_names(directory + "/special_tokens_map.json", false));
  TERN_ASSIGN(files.added, read_object(directory + "/added_tokens.json"));
  return files;
}

/// "<s>", or {"content": "<s>", …}; nothing for anything else.
std::optional<AddedToken> token_of(const ordered_json& value) {
  if (value.is_string()) return AddedToken{.content = value.get<std::string>(), .special = true};
  if (!value.is_object()) return std::nullopt;
  const json object = value;
  auto token = read_added_token(JsonNode(object, ""), 0);
  if (!token.ok()) return std::nullopt;
  token->special = true;
  return *std::move(token);
}

std::vector<AddedToken> tokens_of(const ordered_json& array) {
  std::vector<AddedToken> tokens;
  for (const ordered_json& value : array)
    if (auto token = token_of(value)) tokens.push_back(*std::move(token));
  return tokens;
}

/// What the files name: a token each, or null.
struct Names {
  std::vector<std::pair<std::string, ordered_json>> tokens;
  std::vector<AddedToken> further;
  std::string further_name = kAdditional;
  bool further_are_older = false;  // of special_tokens_map.json

  const ordered_json* find(std::string_view name) const {
    for (const auto& [own, value] : tokens)
      if (own == name) return &value;
    return nullptr;
  }

  void set(const std::string& name, const ordered_json& value, bool replace) {
    for (auto& [own, old] : tokens)
      if (own == name) {
        if (replace) old = value;
        return;
      }
    tokens.emplace_back(name, value);
  }
};

/// Adds those of one file to `names`, over the ones that stand there where `replace`.
void add_names(const ordered_json& object, bool replace, Names& names) {
  for (const auto& [name, value] : object.items())
    if (name.ends_with("_token") && !name.starts_with("add_") &&
        (value.is_null() || token_of(value)))
      names.set(name, value, replace);
  const ordered_json extra = object.value(kExtra, ordered_json());
  for (const ordered_json& more :
       {extra, object.value("model_specific_special_tokens", ordered_json())})
    if (more.is_object())  // "image_token": "<image>", …
      for (const auto& [own, token] : more.items())
        if (token_of(token)) names.set(own, token, replace);
  const bool is_list = extra.is_array() && !extra.empty();
  if (is_list && !names.further.empty()) {  // a second file adds to the first's list
    for (AddedToken& token : tokens_of(extra)) names.further.push_back(std::move(token));
    return;
  }
  const char* const list = is_list ? kExtra : kAdditional;
  if (!object.contains(list) || !object[list].is_array() || !names.further.empty()) return;
  names.further = tokens_of(object[list]);
  names.further_name = list;
}

Names find_names(const Files& files) {
  Names names;
  add_names(files.config, true, names);
  const bool had_further = !names.further.empty();
  add_names(files.map, true, names);
  names.further_are_older = !had_further && names.further_name == kAdditional;
  return names;
}

Result<std::vector<AddedToken>> read_listed(const JsonNode& node) {
  TERN_TRY(node.expect_object());
  std::vector<AddedToken> tokens;
  for (const auto& [key, value] : node.value().items()) {
    int64_t id = -1;
    const char* const end = key.data() + key.size();
    if (const auto [stop, error] = std::from_chars(key.data(), end, id);
        error != std::errc() || stop != end)
      return node.error("the key " + in_quotes(key) + " is not an id");
    TERN_ASSIGN(AddedToken token, read_added_token(JsonNode(value, node.path() + "." + key), id));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// added_tokens.json: ids by text.
Result<std::vector<AddedToken>> read_older_list(const JsonNode& node, const ConfiguredTokens& set) {
  std::vector<AddedToken> tokens;
  for (const auto& [content, value] : node.value().items()) {
    TERN_ASSIGN(const int64_t id, JsonNode(value, node.path() + "." + content).integer());
    AddedToken token{.id = int32_t(std::clamp<int64_t>(id, 0, INT32_MAX)), .content = content};
    for (const auto* special : {&set.named, &set.further})
      token.special |= std::ranges::count(*special, content, &AddedToken::content) > 0;
    token.normalized = !token.special;
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// The class that transformers takes: that of the configuration, of config.json, or of the model's
/// type there. Without "Fast" at its end; empty where none is said.
Result<std::string> find_class(const Files& files) {
  std::string name;
  if (const auto own = files.config.find("tokenizer_class");
      own != files.config.end() && own->is_string())
    name = own->get<std::string>();
  if (name.empty()) {
    const auto text = read_text_file(files.directory + "/config.json");
    const json config = text.ok() ? json::parse(*text, nullptr, false) : json();
    const auto of_model = [&](const char* key) {
      const json value = config.is_object() ? config.value(key, json()) : json();
      return value.is_string() ? value.get<std::string>() : std::string();
    };
    name = of_model("tokenizer_class");
    if (name.empty()) name = tokenizer_class_of(of_model("model_type"));
  }
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return name;
}

/// Llama's class builds a tokenizer of its own, unless the file's spells bytes.
Result<bool> replaces_class(const std::string& name, const std::string& directory) {
  if (name != "LlamaTokenizer") return false;
  const auto text = read_text_file(directory + "/tokenizer.json");
  if (text.status().code() == Code::kNotFound) return false;
  TERN_TRY(text.status());
  return text->find("\"ByteLevel\"") != std::string::npos;
}

/// What the tokenizer's class names where the files do not.
Result<std::vector<std::pair<std::string_view, std::string_view>>> class_tokens(
    const Files& files, const Names& names) {
  TERN_ASSIGN(const std::string tokenizer_class, find_class(files));
  TERN_ASSIGN(const bool is_replaced, replaces_class(tokenizer_class, files.directory));
  auto tokens = tokens_of_class(is_replaced ? "" : tokenizer_class);
  std::erase_if(tokens, [&](const auto& token) { return names.find(token.first) != nullptr; });
  return tokens;
}

Result<ConfiguredTokens> find_tokens(const Files& files) {
  ConfiguredTokens tokens;
  Names names = find_names(files);
  TERN_ASSIGN(const auto of_class, class_tokens(files, names));
  for (const auto& [name, content] : of_class) names.set(std::string(name), content, false);
  const auto rank = [](const auto& name) {
    return std::ranges::find(kNames, name.first) - std::begin(kNames);
  };
  std::ranges::stable_sort(names.tokens, {}, rank);
  for (const auto& name : names.tokens)
    if (auto token = token_of(name.second)) tokens.named.push_back(*std::move(token));
  tokens.further_are_older = names.further_are_older;
  tokens.further = std::move(names.further);
  tokens.are_all = files.lists_all();
  if (tokens.are_all) {
    const json listed = files.config["added_tokens_decoder"];
    const JsonNode node(listed, files.directory + "/tokenizer_config.json: $.added_tokens_decoder");
    TERN_ASSIGN(tokens.listed, read_listed(node));
  } else {
    const JsonNode node(files.added, files.directory + "/added_tokens.json: $");
    TERN_ASSIGN(tokens.listed, read_older_list(node, tokens));
  }
  std::ranges::stable_sort(tokens.listed, {}, &AddedToken::id);
  return tokens;
}

Result<std::optional<bool>> read_flag(const JsonNode& node, std::string_view key) {
  const auto member = node.find(key);
  if (!member) return std::optional<bool>();
  TERN_ASSIGN(const bool value, member->boolean());
  return std::optional<bool>(value);
}

std::string content_of(const ordered_json* value) {
  const auto token = value ? token_of(*value) : std::nullopt;
  return token ? token->content : std::string();
}

}  // namespace

Result<ConfiguredTokens> read_configured_tokens(const std::string& directory) {
  TERN_ASSIGN(const Files files, read_files(directory));
  return find_tokens(files);
}

Result<TokenizerConfig> read_tokenizer_config(const std::string& directory) {
  TERN_ASSIGN(const Files files, read_files(directory));
  TokenizerConfig config;
  config.source = directory + "/tokenizer_config.json";
  const json plain = files.config;
  const JsonNode root(plain, config.source + ": $");
  if (const auto name = root.find("tokenizer_class")) TERN_TRY(name->string().status());
  TERN_ASSIGN(config.tokenizer_class, find_class(files));
  TERN_ASSIGN(config.add_bos_token, read_flag(root, "add_bos_token"));
  TERN_ASSIGN(config.add_eos_token, read_flag(root, "add_eos_token"));
  TERN_ASSIGN(config.add_prefix_space, read_flag(root, "add_prefix_space"));
  TERN_ASSIGN(config.legacy, read_flag(root, "legacy"));
  const Names names = find_names(files);
  config.bos_token = content_of(names.find("bos_token"));
  config.eos_token = content_of(names.find("eos_token"));
  TERN_ASSIGN(config.tokens, find_tokens(files));
  return config;
}

Result<nlohmann::ordered_json> read_special_tokens(const std::string& directory) {
  TERN_ASSIGN(const Files files, read_files(directory));
  const Names names = find_names(files);
  ordered_json out = ordered_json::object();
  for (const auto& [name, value] : names.tokens)
    if (const auto token = token_of(value)) out[name] = token->content;
  if (names.further_name == kAdditional && !names.further.empty()) {
    auto& list = out[kAdditional] = ordered_json::array();
    for (const AddedToken& token : names.further) list.push_back(token.content);
  }
  TERN_ASSIGN(const auto of_class, class_tokens(files, names));
  for (const auto& [name, content] : of_class) out[std::string(name)] = content;
  return out;
}

}  // namespace tern
