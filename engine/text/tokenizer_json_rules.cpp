// tokenizer.json: normalizers and pre-tokenizers.
#include "base/utf8_char.h"
#include "engine/io/json_parse.h"
#include "engine/text/base64.h"
#include "engine/text/tokenizer_json.h"

namespace tern {
namespace {

using PreTokenizerPtr = std::unique_ptr<PreTokenizer>;

Result<NormalizerPtr> read_replace(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode pattern, node.at("pattern"));
  TERN_ASSIGN(Regex regex, read_pattern(pattern));
  TERN_ASSIGN(std::string content, node.string_at("content"));
  return make_replace(std::move(regex), std::move(content));
}

Result<NormalizerPtr> read_bert_normalizer(const JsonNode& node) {
  BertNormalizerOptions options;
  TERN_ASSIGN(options.clean_text, node.boolean_or("clean_text", true));
  TERN_ASSIGN(options.handle_chinese_chars, node.boolean_or("handle_chinese_chars", true));
  TERN_ASSIGN(options.lowercase, node.boolean_or("lowercase", true));
  TERN_ASSIGN(options.strip_accents, node.boolean_or("strip_accents", options.lowercase));
  return make_bert_normalizer(options);
}

Result<NormalizerPtr> read_precompiled(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode member, node.at("precompiled_charsmap"));
  TERN_ASSIGN(const std::string text, member.string());
  const auto bytes = decode_base64(text);
  if (!bytes) return member.error("is not base64");
  auto charsmap = Charsmap::parse(*bytes);
  if (!charsmap.ok()) return charsmap.status().with_context(member.path());
  return make_precompiled(*std::move(charsmap));
}

Result<NormalizerPtr> read_strip(const JsonNode& node) {
  TERN_ASSIGN(const bool left, node.boolean_or("strip_left", true));
  TERN_ASSIGN(const bool right, node.boolean_or("strip_right", true));
  return make_strip(left, right);
}

Result<PreTokenizerPtr> read_split(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode pattern, node.at("pattern"));
  TERN_ASSIGN(Regex regex, read_pattern(pattern));
  TERN_ASSIGN(const std::string name, node.string_at("behavior"));
  const auto behavior = parse_split_behavior(name);
  if (!behavior) return node.unknown("tern does not know the behavior " + in_quotes(name));
  TERN_ASSIGN(const bool invert, node.boolean_or("invert", false));
  return make_split(std::move(regex), *behavior, invert);
}

Result<PreTokenizerPtr> read_digits(const JsonNode& node) {
  TERN_ASSIGN(const bool individual, node.boolean_or("individual_digits", false));
  TERN_ASSIGN(Regex regex, Regex::compile("\\p{N}"));
  return make_split(std::move(regex),
                    individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, false);
}

Result<PreTokenizerPtr> read_punctuation(const JsonNode& node) {
  SplitBehavior behavior = SplitBehavior::kIsolated;
  if (const auto member = node.find("behavior")) {
    TERN_ASSIGN(const std::string name, member->string());
    const auto known = parse_split_behavior(name);
    if (!known) return member->unknown("tern does not know the behavior " + in_quotes(name));
    behavior = *known;
  }
  return make_split(punctuation_regex(), behavior, false);
}

Result<PreTokenizerPtr> read_byte_level(const JsonNode& node) {
  TERN_ASSIGN(const bool add_prefix_space, node.boolean_or("add_prefix_space", true));
  TERN_ASSIGN(const bool use_regex, node.boolean_or("use_regex", true));
  return make_byte_level(add_prefix_space, use_regex);
}

Result<PreTokenizerPtr> read_metaspace(const JsonNode& node) {
  TERN_ASSIGN(const std::string replacement, node.string_at("replacement"));
  if (num_chars(replacement) != 1) return node.error("\"replacement\" is not one character");
  TERN_ASSIGN(const PrependScheme scheme, read_prepend_scheme(node));
  TERN_ASSIGN(const bool split, node.boolean_or("split", true));
  return make_metaspace(replacement, scheme, split);
}

Result<PreTokenizerPtr> read_delimiter(const JsonNode& node) {
  TERN_ASSIGN(const std::string delimiter, node.string_at("delimiter"));
  TERN_ASSIGN(Regex regex, Regex::literal(delimiter));
  return make_split(std::move(regex), SplitBehavior::kRemoved, false);
}

Result<PreTokenizerPtr> read_whitespace_split(const JsonNode&) {
  TERN_ASSIGN(Regex regex, Regex::compile("\\s"));
  return make_split(std::move(regex), SplitBehavior::kRemoved, false);
}

}  // namespace

Result<NormalizerPtr> read_normalizer(const JsonNode& node) {
  TERN_ASSIGN(const std::string type, node.string_at("type"));
  if (type == "NFC") return make_unicode_form(UnicodeForm::kNfc);
  if (type == "NFD") return make_unicode_form(UnicodeForm::kNfd);
  if (type == "NFKC") return make_unicode_form(UnicodeForm::kNfkc);
  if (type == "NFKD") return make_unicode_form(UnicodeForm::kNfkd);
  if (type == "Lowercase") return make_lowercase();
  if (type == "StripAccents") return make_strip_accents();
  if (type == "Nmt") return make_nmt();
  if (type == "ByteLevel") return make_byte_level_normalizer();
  if (type == "Strip") return read_strip(node);
  if (type == "Replace") return read_replace(node);
  if (type == "BertNormalizer") return read_bert_normalizer(node);
  if (type == "Precompiled") return read_precompiled(node);
  if (type == "Prepend") {
    TERN_ASSIGN(std::string prefix, node.string_at("prepend"));
    return make_prepend(std::move(prefix));
  }
  if (type == "Sequence") {
    TERN_ASSIGN(auto parts, read_list(node, "normalizers", read_normalizer));
    return make_normalizer_sequence(std::move(parts));
  }
  return unknown_type(node, type);
}

Result<PreTokenizerPtr> read_pre_tokenizer(const JsonNode& node) {
  TERN_ASSIGN(const std::string type, node.string_at("type"));
  if (type == "Split") return read_split(node);
  if (type == "Digits") return read_digits(node);
  if (type == "ByteLevel") return read_byte_level(node);
  if (type == "Metaspace") return read_metaspace(node);
  if (type == "Whitespace") return make_whitespace();
  if (type == "WhitespaceSplit") return read_whitespace_split(node);
  if (type == "Punctuation") return read_punctuation(node);
  if (type == "BertPreTokenizer") return make_bert_pre_tokenizer();
  if (type == "CharDelimiterSplit") return read_delimiter(node);
  if (type == "Sequence") {
    TERN_ASSIGN(auto parts, read_list(node, "pretokenizers", read_pre_tokenizer));
    return make_sequence(std::move(parts));
  }
  return unknown_type(node, type);
}

}  // namespace tern
