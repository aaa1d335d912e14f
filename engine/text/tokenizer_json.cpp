// Hugging Face's tokenizer.json: which parts a tokenizer has. A reader per part, a branch per type.
#include "engine/io/json_parse.h"
#include "engine/text/bpe.h"
#include "engine/text/json_node.h"
#include "engine/text/pipeline.h"

namespace tern {
namespace {

using nlohmann::json;
using PreTokenizerPtr = std::unique_ptr<PreTokenizer>;

Status unknown_type(const JsonNode& node, const std::string& type) {
  return node.unknown("tern does not know the type " + in_quotes(type));
}

// --- pre-tokenizers ---

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

Result<PreTokenizerPtr> read_byte_level(const JsonNode& node) {
  TERN_ASSIGN(const bool add_prefix_space, node.boolean_or("add_prefix_space", true));
  TERN_ASSIGN(const bool use_regex, node.boolean_or("use_regex", true));
  return make_byte_level(add_prefix_space, use_regex);
}

Result<PreTokenizerPtr> read_pre_tokenizer(const JsonNode& node);

Result<PreTokenizerPtr> read_sequence(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode list, node.at("pretokenizers"));
  TERN_TRY(list.expect_array());
  std::vector<PreTokenizerPtr> parts;
  for (size_t i = 0; i < list.value().size(); ++i) {
    TERN_ASSIGN(PreTokenizerPtr part, read_pre_tokenizer(list.element(i)));
    parts.push_back(std::move(part));
  }
  return make_sequence(std::move(parts));
}

Result<PreTokenizerPtr> read_pre_tokenizer(const JsonNode& node) {
  TERN_ASSIGN(const std::string type, node.string_at("type"));
  if (type == "Sequence") return read_sequence(node);
  if (type == "Split") return read_split(node);
  if (type == "Digits") return read_digits(node);
  if (type == "ByteLevel") return read_byte_level(node);
  return unknown_type(node, type);
}

/// Whether pieces are in GPT-2's spelling when they reach the model: the only spelling that tern
/// decodes.
bool spells_bytes(const JsonNode& pre_tokenizer) {
  const json& value = pre_tokenizer.value();
  if (value["type"] == "ByteLevel") return true;
  if (value["type"] != "Sequence" || value["pretokenizers"].empty()) return false;
  return spells_bytes(JsonNode(value["pretokenizers"].back(), ""));
}

// --- model ---

Result<Vocabulary> read_vocabulary(const JsonNode& node) {
  TERN_TRY(node.expect_object());
  Vocabulary vocabulary;
  for (const auto& [piece, id] : node.value().items()) {
    const JsonNode at(id, node.path());
    const auto number = at.integer();
    if (!number.ok()) return at.error("the id of " + in_quotes(piece) + " is not an integer");
    if (Status s = vocabulary.add(piece, *number); !s.ok()) return s.with_context(node.path());
  }
  return vocabulary;
}

Result<std::vector<Bpe::Pair>> read_merges(const JsonNode& node) {
  TERN_TRY(node.expect_array());
  std::vector<Bpe::Pair> merges;
  merges.reserve(node.value().size());
  for (size_t i = 0; i < node.value().size(); ++i) {
    const json& merge = node.value()[i];
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    if (!merge.is_string()) return node.element(i).error("is neither \"a b\" nor [\"a\", \"b\"]");
    const std::string& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos)
      return node.element(i).error(in_quotes(text) + " is not two tokens with a space between");
    merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return merges;
}

/// Refuses the options of BPE that would change ids and that tern does not have.
Status check_bpe_options(const JsonNode& node) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto member = node.find(key); member && member->value() != "")
      return member->unknown("tern knows no prefixes or suffixes of subwords");
  if (const auto dropout = node.find("dropout"); dropout && dropout->value() != 0)
    return dropout->unknown("tern does not drop merges at random");
  return {};
}

Result<std::unique_ptr<TokenModel>> read_bpe(const JsonNode& node) {
  TERN_TRY(check_bpe_options(node));
  TERN_ASSIGN(const JsonNode vocab, node.at("vocab"));
  TERN_ASSIGN(Vocabulary vocabulary, read_vocabulary(vocab));
  TERN_ASSIGN(const JsonNode merge_list, node.at("merges"));
  TERN_ASSIGN(const std::vector<Bpe::Pair> merges, read_merges(merge_list));
  BpeOptions options;
  TERN_ASSIGN(options.fuse_unk, node.boolean_or("fuse_unk", false));
  TERN_ASSIGN(options.byte_fallback, node.boolean_or("byte_fallback", false));
  TERN_ASSIGN(options.ignore_merges, node.boolean_or("ignore_merges", false));
  if (const auto unk = node.find("unk_token")) {
    TERN_ASSIGN(const std::string piece, unk->string());
    options.unk_id = vocabulary.find(piece);
    if (!options.unk_id) return unk->error(in_quotes(piece) + " is not in the vocabulary");
  }
  auto bpe = Bpe::create(std::move(vocabulary), merges, options);
  if (!bpe.ok()) return bpe.status().with_context(node.path());
  return std::unique_ptr<TokenModel>(*std::move(bpe));
}

Result<std::unique_ptr<TokenModel>> read_model(const JsonNode& node) {
  TERN_ASSIGN(const std::string type, node.string_at("type"));
  if (type == "BPE") return read_bpe(node);
  return unknown_type(node, type);
}

// --- added tokens ---

Status read_added_token(const JsonNode& node, PipelineParts& parts) {
  AddedToken token;
  TERN_ASSIGN(const JsonNode id, node.at("id"));
  TERN_ASSIGN(const int64_t number, id.integer());
  if (number < 0 || number >= kMaxVocabSize)
    return id.error(std::to_string(number) + " is not from 0 to " +
                    std::to_string(kMaxVocabSize - 1));
  token.id = int32_t(number);
  TERN_ASSIGN(token.content, node.string_at("content"));
  if (token.content.empty()) return node.error("\"content\" is empty");
  TERN_ASSIGN(token.special, node.boolean_or("special", false));
  TERN_ASSIGN(token.single_word, node.boolean_or("single_word", false));
  TERN_ASSIGN(token.lstrip, node.boolean_or("lstrip", false));
  TERN_ASSIGN(token.rstrip, node.boolean_or("rstrip", false));
  TERN_ASSIGN(const bool normalized, node.boolean_or("normalized", !token.special));
  (normalized ? parts.normalized_tokens : parts.raw_tokens).push_back(std::move(token));
  return {};
}

// --- post-processors ---

/// The ids that a "SpecialToken" of a template stands for.
Status read_template_token(const JsonNode& special_tokens, const JsonNode& piece,
                           std::vector<int32_t>& ids) {
  TERN_ASSIGN(const std::string name, piece.string_at("id"));
  TERN_ASSIGN(const JsonNode token, special_tokens.at(name));
  TERN_ASSIGN(const JsonNode list, token.at("ids"));
  TERN_TRY(list.expect_array());
  for (size_t i = 0; i < list.value().size(); ++i) {
    TERN_ASSIGN(const int64_t id, list.element(i).integer());
    if (id < 0 || id >= kMaxVocabSize) return list.element(i).error("is not the id of a token");
    ids.push_back(int32_t(id));
  }
  return {};
}

Result<TextFrame> read_template(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode single, node.at("single"));
  TERN_TRY(single.expect_array());
  TERN_ASSIGN(const JsonNode special_tokens, node.at("special_tokens"));
  TextFrame frame;
  bool seen_text = false;
  for (size_t i = 0; i < single.value().size(); ++i) {
    const JsonNode piece = single.element(i);
    if (const auto special = piece.find("SpecialToken")) {
      TERN_TRY(
          read_template_token(special_tokens, *special, seen_text ? frame.behind : frame.before));
    } else if (piece.find("Sequence") && !seen_text) {
      seen_text = true;
    } else {
      return piece.error("is neither a \"SpecialToken\" nor the only \"Sequence\"");
    }
  }
  if (!seen_text) return single.error("has no \"Sequence\"");
  return frame;
}

/// Puts what `node` says around `frame`.
Status read_post_processor(const JsonNode& node, TextFrame& frame) {
  TERN_ASSIGN(const std::string type, node.string_at("type"));
  if (type == "ByteLevel") return {};  // moves offsets only, which tern does not report
  if (type == "Sequence") {
    TERN_ASSIGN(const JsonNode list, node.at("processors"));
    TERN_TRY(list.expect_array());
    for (size_t i = 0; i < list.value().size(); ++i)
      TERN_TRY(read_post_processor(list.element(i), frame));
    return {};
  }
  if (type != "TemplateProcessing") return unknown_type(node, type);
  TERN_ASSIGN(const TextFrame outer, read_template(node));
  frame.before.insert(frame.before.begin(), outer.before.begin(), outer.before.end());
  frame.behind.insert(frame.behind.end(), outer.behind.begin(), outer.behind.end());
  return {};
}

// --- the whole ---

Status check_normalizer(const JsonNode& root) {
  const auto normalizer = root.find("normalizer");
  if (!normalizer) return {};
  TERN_ASSIGN(const std::string type, normalizer->string_at("type"));
  return unknown_type(*normalizer, type);
}

Status check_decoder(const JsonNode& root) {
  TERN_ASSIGN(const JsonNode decoder, root.at("decoder"));
  TERN_ASSIGN(const std::string type, decoder.string_at("type"));
  return type == "ByteLevel" ? Status() : unknown_type(decoder, type);
}

Result<PipelineParts> read_parts(const JsonNode& root) {
  PipelineParts parts;
  TERN_TRY(root.expect_object());
  TERN_TRY(check_normalizer(root));
  if (const auto node = root.find("pre_tokenizer")) {
    TERN_ASSIGN(parts.pre_tokenizer, read_pre_tokenizer(*node));
    if (!spells_bytes(*node)) return node->unknown("tern knows none that do not end in ByteLevel");
  }
  TERN_TRY(check_decoder(root));
  TERN_ASSIGN(const JsonNode model, root.at("model"));
  TERN_ASSIGN(parts.model, read_model(model));
  if (const auto tokens = root.find("added_tokens")) {
    TERN_TRY(tokens->expect_array());
    for (size_t i = 0; i < tokens->value().size(); ++i)
      TERN_TRY(read_added_token(tokens->element(i), parts));
  }
  if (const auto node = root.find("post_processor"))
    TERN_TRY(read_post_processor(*node, parts.frame));
  return parts;  // "truncation" and "padding" are for training batches: a server does neither
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view text,
                                                        const std::string& source) {
  TERN_ASSIGN(const json root, parse_json(text, source));
  TERN_ASSIGN(PipelineParts parts, read_parts(JsonNode(root, source + ": $")));
  auto tokenizer = Pipeline::create(std::move(parts));
  if (!tokenizer.ok()) return tokenizer.status().with_context(source);
  return tokenizer;
}

}  // namespace tern
