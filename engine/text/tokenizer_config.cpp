#include "engine/text/tokenizer_config.h"

#include <algorithm>
#include <charconv>

#include "engine/io/json_parse.h"
#include "engine/io/lenient_json.h"
#include "engine/io/mapped_file.h"
#include "engine/text/tokenizer_json.h"

namespace tern {
namespace {

using nlohmann::json;

Result<std::optional<bool>> read_flag(const JsonNode& node, std::string_view key) {
  const auto member = node.find(key);
  if (!member) return std::optional<bool>();
  TERN_ASSIGN(const bool value, member->boolean());
  return std::optional<bool>(value);
}

/// "bos_token": "<s>", or {"content": "<s>", …}; empty where it is absent.
Result<std::string> read_token(const JsonNode& node, std::string_view key) {
  const auto member = node.find(key);
  if (!member) return std::string();
  return member->value().is_object() ? member->string_at("content") : member->string();
}

Status read_added_tokens(const JsonNode& node, std::vector<AddedToken>& tokens) {
  TERN_TRY(node.expect_object());
  for (const auto& [key, value] : node.value().items()) {
    int64_t id = -1;
    const char* const end = key.data() + key.size();
    if (const auto [stop, error] = std::from_chars(key.data(), end, id);
        error != std::errc() || stop != end)
      return node.error("the key " + in_quotes(key) + " is not an id");
    TERN_ASSIGN(AddedToken token, read_added_token(JsonNode(value, node.path() + "." + key), id));
    token.normalized = false;  // without a tokenizer.json all of them are found in the raw text
    tokens.push_back(std::move(token));
  }
  std::ranges::stable_sort(tokens, {}, &AddedToken::id);  // as transformers adds them
  return {};
}

}  // namespace

Result<TokenizerConfig> read_tokenizer_config(const std::string& directory) {
  TokenizerConfig config;
  config.source = directory + "/tokenizer_config.json";
  const auto text = read_text_file(config.source);
  if (text.status().code() == Code::kNotFound) return config;
  TERN_TRY(text.status());
  TERN_ASSIGN(const json value, parse_lenient_json(*text, config.source));
  const JsonNode root(value, config.source + ": $");
  TERN_TRY(root.expect_object());
  if (const auto name = root.find("tokenizer_class")) {
    TERN_ASSIGN(config.tokenizer_class, name->string());
    if (config.tokenizer_class.ends_with("Fast"))
      config.tokenizer_class.resize(config.tokenizer_class.size() - 4);
  }
  TERN_ASSIGN(config.add_bos_token, read_flag(root, "add_bos_token"));
  TERN_ASSIGN(config.add_eos_token, read_flag(root, "add_eos_token"));
  TERN_ASSIGN(config.add_prefix_space, read_flag(root, "add_prefix_space"));
  TERN_ASSIGN(config.legacy, read_flag(root, "legacy"));
  TERN_ASSIGN(config.bos_token, read_token(root, "bos_token"));
  TERN_ASSIGN(config.eos_token, read_token(root, "eos_token"));
  if (const auto tokens = root.find("added_tokens_decoder"))
    TERN_TRY(read_added_tokens(*tokens, config.added_tokens));
  return config;
}

}  // namespace tern
