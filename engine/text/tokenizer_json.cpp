// Hugging Face's tokenizer.json: the whole, and what its parts share.
#include "engine/text/tokenizer_json.h"

#include <algorithm>

#include "engine/io/json_parse.h"
#include "engine/io/lenient_json.h"

namespace tern {
namespace {

using nlohmann::json;

Result<PipelineParts> read_parts(const JsonNode& root, const ConfiguredTokens& configured) {
  PipelineParts parts;
  TERN_TRY(root.expect_object());
  if (const auto node = root.find("normalizer")) {
    TERN_ASSIGN(parts.normalizer, read_normalizer(*node));
  }
  if (const auto node = root.find("pre_tokenizer")) {
    TERN_ASSIGN(parts.pre_tokenizer, read_pre_tokenizer(*node));
  }
  if (const auto node = root.find("decoder")) {
    TERN_ASSIGN(parts.decoder, read_decoder(*node));
  }
  TERN_ASSIGN(const JsonNode model, root.at("model"));
  TERN_ASSIGN(parts.model, read_token_model(model));
  if (const auto tokens = root.find("added_tokens")) {
    TERN_TRY(tokens->expect_array());
    for (size_t i = 0; i < tokens->value().size(); ++i) {
      const JsonNode node = tokens->element(i);
      TERN_ASSIGN(const JsonNode id, node.at("id"));
      TERN_ASSIGN(const int64_t number, id.integer());
      TERN_ASSIGN(parts.added_tokens.emplace_back(), read_added_token(node, number));
    }
  }
  parts.added_tokens = number_added_tokens(
      in_adding_order(std::move(parts.added_tokens), configured), parts.model->vocabulary());
  if (const auto node = root.find("post_processor"))
    TERN_TRY(read_post_processor(*node, parts.frame));
  return parts;  // "truncation" and "padding" are for training batches: a server does neither
}

}  // namespace

Result<AddedToken> read_added_token(const JsonNode& node, int64_t id) {
  AddedToken token;
  if (id < 0 || id > UINT32_MAX)
    return node.error("the id " + std::to_string(id) + " is not from 0 to " +
                      std::to_string(UINT32_MAX));
  // No vocabulary has ids as large as the largest one here: such a token gets another number.
  token.id = int32_t(std::min<int64_t>(id, INT32_MAX));
  TERN_ASSIGN(token.content, node.string_at("content"));
  TERN_ASSIGN(token.special, node.boolean_or("special", false));
  TERN_ASSIGN(token.single_word, node.boolean_or("single_word", false));
  TERN_ASSIGN(token.lstrip, node.boolean_or("lstrip", false));
  TERN_ASSIGN(token.rstrip, node.boolean_or("rstrip", false));
  TERN_ASSIGN(token.normalized, node.boolean_or("normalized", !token.special));
  return token;
}

Result<Regex> read_pattern(const JsonNode& node) {
  TERN_TRY(node.expect_object());
  for (const char* key : {"Regex", "String"}) {
    const auto member = node.find(key);
    if (!member) continue;
    TERN_ASSIGN(const std::string text, member->string());
    auto regex = key[0] == 'R' ? Regex::compile(text) : Regex::literal(text);
    if (!regex.ok()) return regex.status().with_context(member->path());
    return regex;
  }
  return node.unknown("is neither a \"Regex\" nor a \"String\"");
}

Status unknown_type(const JsonNode& node, const std::string& type) {
  return node.unknown("tern does not know the type " + in_quotes(type));
}

Result<PrependScheme> read_prepend_scheme(const JsonNode& node) {
  TERN_ASSIGN(const bool add_prefix_space, node.boolean_or("add_prefix_space", true));
  const auto member = node.find("prepend_scheme");
  if (!member) return add_prefix_space ? PrependScheme::kAlways : PrependScheme::kNever;
  TERN_ASSIGN(const std::string name, member->string());
  if (name == "never") return PrependScheme::kNever;
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  return member->unknown("tern does not know the scheme " + in_quotes(name));
}

Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view text,
                                                        const std::string& source,
                                                        const ConfiguredTokens& configured) {
  TERN_ASSIGN(const json root, parse_lenient_json(text, source));
  TERN_ASSIGN(PipelineParts parts, read_parts(JsonNode(root, source + ": $"), configured));
  auto tokenizer = Pipeline::create(std::move(parts));
  if (!tokenizer.ok()) return tokenizer.status().with_context(source);
  return tokenizer;
}

Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view text,
                                                        const std::string& source) {
  return parse_tokenizer_json(text, source, {});
}

}  // namespace tern
