// tokenizer.json: models.
#include <algorithm>
#include <cmath>

#include "engine/io/json_parse.h"
#include "engine/text/parts/bpe.h"
#include "engine/text/parts/unigram.h"
#include "engine/text/parts/wordpiece.h"
#include "engine/text/tokenizer_json.h"

namespace tern {
namespace {

using nlohmann::json;
using TokenModelPtr = std::unique_ptr<TokenModel>;

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

/// The id of the token that `key` names; nothing where the key is absent.
Result<std::optional<int32_t>> read_token_at(const JsonNode& node, std::string_view key,
                                             const Vocabulary& vocabulary) {
  const auto member = node.find(key);
  if (!member) return std::optional<int32_t>();
  TERN_ASSIGN(const std::string piece, member->string());
  const auto id = vocabulary.find(piece);
  if (!id) return member->error(in_quotes(piece) + " is not in the vocabulary");
  return id;
}

Result<std::string> string_or(const JsonNode& node, std::string_view key, std::string otherwise) {
  const auto member = node.find(key);
  return member ? member->string() : Result<std::string>(std::move(otherwise));
}

Result<TokenModelPtr> read_bpe(const JsonNode& node) {
  if (const auto dropout = node.find("dropout"); dropout && dropout->value() != 0)
    return dropout->unknown("tern does not drop merges at random");
  TERN_ASSIGN(const JsonNode vocab, node.at("vocab"));
  TERN_ASSIGN(Vocabulary vocabulary, read_vocabulary(vocab));
  TERN_ASSIGN(const JsonNode merge_list, node.at("merges"));
  TERN_ASSIGN(const std::vector<Bpe::Pair> merges, read_merges(merge_list));
  BpeOptions options;
  TERN_ASSIGN(options.fuse_unk, node.boolean_or("fuse_unk", false));
  TERN_ASSIGN(options.byte_fallback, node.boolean_or("byte_fallback", false));
  TERN_ASSIGN(options.ignore_merges, node.boolean_or("ignore_merges", false));
  TERN_ASSIGN(options.continuing_subword_prefix, string_or(node, "continuing_subword_prefix", ""));
  TERN_ASSIGN(options.end_of_word_suffix, string_or(node, "end_of_word_suffix", ""));
  TERN_ASSIGN(options.unk_id, read_token_at(node, "unk_token", vocabulary));
  auto bpe = Bpe::create(std::move(vocabulary), merges, std::move(options));
  if (!bpe.ok()) return bpe.status().with_context(node.path());
  return TokenModelPtr(*std::move(bpe));
}

Result<TokenModelPtr> read_unigram(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode vocab, node.at("vocab"));
  TERN_TRY(vocab.expect_array());
  Vocabulary vocabulary;
  std::vector<Unigram::Score> scores;
  double min_score = INFINITY;
  for (size_t i = 0; i < vocab.value().size(); ++i) {
    const json& entry = vocab.value()[i];
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
      return vocab.element(i).error("is not [\"token\", score]");
    const Status added = vocabulary.add_again(entry[0].get<std::string>(), int64_t(i));
    if (!added.ok()) return added.with_context(vocab.path());
    scores.emplace_back(int32_t(i), entry[1].get<double>());
    min_score = std::min(min_score, scores.back().second);
  }
  constexpr double kUnkPenalty = 10;
  UnigramOptions options{.unk_score = min_score - kUnkPenalty};
  TERN_ASSIGN(options.byte_fallback, node.boolean_or("byte_fallback", false));
  if (const auto unk = node.find("unk_id")) {
    TERN_ASSIGN(const int64_t id, unk->integer());
    if (id < 0 || id >= vocabulary.size()) return unk->error("is not the id of a token");
    options.unk_id = int32_t(id);
  }
  auto unigram = Unigram::create(std::move(vocabulary), scores, options);
  if (!unigram.ok()) return unigram.status().with_context(vocab.path());
  return TokenModelPtr(*std::move(unigram));
}

Result<TokenModelPtr> read_wordpiece(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode vocab, node.at("vocab"));
  TERN_ASSIGN(Vocabulary vocabulary, read_vocabulary(vocab));
  TERN_ASSIGN(const auto unk_id, read_token_at(node, "unk_token", vocabulary));
  if (!unk_id) return node.error("lacks \"unk_token\"");
  WordPieceOptions options{.unk_id = *unk_id};
  TERN_ASSIGN(options.continuing_subword_prefix,
              string_or(node, "continuing_subword_prefix", "##"));
  if (const auto limit = node.find("max_input_chars_per_word")) {
    TERN_ASSIGN(const int64_t number, limit->integer());
    if (number < 0) return limit->error("is negative");
    options.max_input_chars_per_word = size_t(number);
  }
  return TokenModelPtr(std::make_unique<WordPiece>(std::move(vocabulary), std::move(options)));
}

/// Files of before 2020 do not name the type.
Result<std::string> model_type(const JsonNode& node) {
  if (node.find("type")) return node.string_at("type");
  if (node.find("merges")) return std::string("BPE");
  if (node.find("unk_id")) return std::string("Unigram");
  if (node.find("max_input_chars_per_word")) return std::string("WordPiece");
  return node.string_at("type");
}

}  // namespace

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

Result<TokenModelPtr> read_token_model(const JsonNode& node) {
  TERN_ASSIGN(const std::string type, model_type(node));
  if (type == "BPE") return read_bpe(node);
  if (type == "Unigram") return read_unigram(node);
  if (type == "WordPiece") return read_wordpiece(node);
  return unknown_type(node, type);
}

}  // namespace tern
