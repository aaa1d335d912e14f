// Tokenizers out of SentencePiece models.
#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "engine/io/json_parse.h"
#include "engine/text/parts/scored_bpe.h"
#include "engine/text/parts/unigram.h"
#include "engine/text/sentencepiece_model.h"

namespace tern {
namespace {

using Piece = SentencePieceModel::Piece;
using Kind = SentencePieceModel::Kind;

Result<Vocabulary> make_vocabulary(const SentencePieceModel& model) {
  Vocabulary vocabulary;
  for (size_t id = 0; id < model.pieces.size(); ++id)
    TERN_TRY(vocabulary.add_again(model.pieces[id].text, int64_t(id)));
  return vocabulary;
}

std::vector<int32_t> ids_of(const SentencePieceModel& model,
                            std::initializer_list<PieceType> types) {
  std::vector<int32_t> ids;
  for (size_t id = 0; id < model.pieces.size(); ++id)
    if (std::ranges::count(types, model.pieces[id].type)) ids.push_back(int32_t(id));
  return ids;
}

Result<std::unique_ptr<TokenModel>> make_bpe(const SentencePieceModel& model,
                                             const SentencePieceUse& use) {
  TERN_ASSIGN(Vocabulary vocabulary, make_vocabulary(model));
  ScoredBpeOptions options;
  for (const Piece& piece : model.pieces) options.scores.push_back(piece.score);
  options.not_merged = ids_of(model, {PieceType::kControl, PieceType::kUnknown, PieceType::kByte});
  options.unused = ids_of(model, {PieceType::kUnused});
  if (!use.all_symbols_are_tokens) options.frozen = ids_of(model, {PieceType::kUserDefined});
  options.unk_id = model.unk_id;
  options.byte_fallback = model.byte_fallback;
  TERN_ASSIGN(auto bpe, ScoredBpe::create(std::move(vocabulary), std::move(options)));
  return std::unique_ptr<TokenModel>(std::move(bpe));
}

Result<std::unique_ptr<TokenModel>> make_unigram(const SentencePieceModel& model,
                                                 const SentencePieceUse& use) {
  TERN_ASSIGN(Vocabulary vocabulary, make_vocabulary(model));
  float min_score = INFINITY, max_score = -INFINITY;
  for (const Piece& piece : model.pieces) {
    if (piece.type != PieceType::kNormal) continue;
    min_score = std::min(min_score, piece.score);
    max_score = std::max(max_score, piece.score);
  }
  std::vector<Unigram::Score> scores;
  for (const int32_t id : ids_of(model, {PieceType::kNormal, PieceType::kUserDefined})) {
    const Piece& piece = model.pieces[size_t(id)];
    double score = piece.score;
    if (piece.type == PieceType::kUserDefined)  // better than all that it could be cut into
      score = use.double_precision ? 0 : double(float(piece.text.size()) * max_score) - 0.1;
    scores.emplace_back(id, score);
  }
  constexpr float kUnkPenalty = 10;
  const UnigramOptions options{.unk_id = model.unk_id,
                               .unk_score = min_score - kUnkPenalty,
                               .byte_fallback = model.byte_fallback,
                               .single_precision = !use.double_precision};
  TERN_ASSIGN(auto unigram, Unigram::create(std::move(vocabulary), scores, options));
  return std::unique_ptr<TokenModel>(std::move(unigram));
}

Result<NormalizerPtr> make_normalizer(const SentencePieceModel& model,
                                      const SentencePieceUse& use) {
  SentencePieceNormalizerOptions options{
      .add_dummy_prefix = model.add_dummy_prefix,
      .remove_extra_whitespaces = model.remove_extra_whitespaces,
      .escape_whitespaces = model.escape_whitespaces,
      .treat_whitespace_as_suffix = model.treat_whitespace_as_suffix,
      .prefix_after_token = use.prefix_after_token};
  TERN_ASSIGN(options.charsmap, Charsmap::parse(model.charsmap));
  if (!use.all_symbols_are_tokens)
    for (const int32_t id : ids_of(model, {PieceType::kUserDefined}))
      options.user_defined.push_back(model.pieces[size_t(id)].text);
  return make_sentencepiece_normalizer(std::move(options));
}

/// What `use` adds, and the model's control pieces; with all_symbols_are_tokens the others too.
std::vector<AddedToken> find_added_tokens(const SentencePieceModel& model,
                                          const SentencePieceUse& use) {
  std::vector<AddedToken> tokens = use.added_tokens;
  std::unordered_set<std::string> known;
  for (const AddedToken& token : tokens) known.insert(token.content);
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const Piece& piece = model.pieces[id];
    const bool is_symbol =
        piece.type == PieceType::kUserDefined || piece.type == PieceType::kUnknown;
    const bool is_token =
        piece.type == PieceType::kControl || (is_symbol && use.all_symbols_are_tokens);
    if (is_token && known.insert(piece.text).second)
      tokens.push_back({.id = int32_t(id),
                        .content = piece.text,
                        .special = piece.type != PieceType::kUserDefined});
  }
  return tokens;
}

/// Whether transformers' class of this name gives the pieces other ids than the file does, or adds
/// tokens that the file does not hold.
bool renumbers(std::string_view tokenizer_class) {
  constexpr std::string_view kClasses[] = {
      "XLMRobertaTokenizer", "CamembertTokenizer", "MBartTokenizer",  "MBart50Tokenizer",
      "NllbTokenizer",       "BarthezTokenizer",   "M2M100Tokenizer", "PegasusTokenizer",
      "AlbertTokenizer",     "DebertaV2Tokenizer", "XGLMTokenizer",   "XLMProphetNetTokenizer"};
  return std::ranges::count(kClasses, tokenizer_class) > 0;
}

/// The id of the token that `config` or else the model names.
Result<std::optional<int32_t>> find_special(const SentencePieceModel& model,
                                            const TokenizerConfig& config,
                                            const std::vector<AddedToken>& added,
                                            const std::string& content,
                                            std::optional<int32_t> otherwise) {
  if (content.empty()) return otherwise;
  for (const AddedToken& token : added)
    if (token.content == content) return std::optional(token.id);
  for (size_t id = 0; id < model.pieces.size(); ++id)
    if (model.pieces[id].text == content) return std::optional(int32_t(id));
  return invalid_argument(config.source + ": " + in_quotes(content) + " is no token");
}

Result<TextFrame> make_frame(const SentencePieceModel& model, const TokenizerConfig& config,
                             const std::vector<AddedToken>& added) {
  const bool is_t5 = config.tokenizer_class == "T5Tokenizer";
  TextFrame frame;
  TERN_ASSIGN(const auto bos, find_special(model, config, added, config.bos_token, model.bos_id));
  TERN_ASSIGN(const auto eos, find_special(model, config, added, config.eos_token, model.eos_id));
  if (bos && config.add_bos_token.value_or(!is_t5)) frame.before = {*bos};
  if (eos && config.add_eos_token.value_or(is_t5)) frame.behind = {*eos};
  return frame;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_sentencepiece_tokenizer(const SentencePieceModel& model,
                                                                SentencePieceUse use) {
  if (model.kind != Kind::kUnigram && model.kind != Kind::kBpe)
    return Status(Code::kUnimplemented, "tern knows unigram and bpe models, not model_type " +
                                            std::to_string(int32_t(model.kind)));
  PipelineParts parts;
  TERN_ASSIGN(parts.normalizer, make_normalizer(model, use));
  TERN_ASSIGN(parts.model,
              model.kind == Kind::kBpe ? make_bpe(model, use) : make_unigram(model, use));
  parts.added_tokens = find_added_tokens(model, use);
  parts.decoder =
      make_sentencepiece_decoder(model.add_dummy_prefix, model.remove_extra_whitespaces);
  if (model.unk_id) parts.surfaces.emplace(*model.unk_id, model.unk_surface);
  parts.frame = std::move(use.frame);
  return Pipeline::create(std::move(parts));
}

Result<std::unique_ptr<Tokenizer>> parse_sentencepiece_tokenizer(std::string_view bytes,
                                                                 const TokenizerConfig& config) {
  if (renumbers(config.tokenizer_class))
    return Status(Code::kUnimplemented, config.tokenizer_class +
                                            " numbers the pieces otherwise than the file: "
                                            "tern needs the model's tokenizer.json");
  TERN_ASSIGN(const SentencePieceModel model, parse_sentencepiece_model(bytes));
  TERN_ASSIGN(const Vocabulary pieces, make_vocabulary(model));
  const bool is_llama = config.tokenizer_class == "LlamaTokenizer";
  SentencePieceUse use;
  if (!config.legacy.value_or(!is_llama)) use.prefix_after_token = PrefixAfterToken::kNever;
  ConfiguredTokens configured = config.tokens;
  // transformers puts the model's own control pieces in their place.
  if (configured.further_are_older) configured.further.clear();
  use.added_tokens = number_added_tokens(in_adding_order({}, configured), pieces);
  // Without a tokenizer.json all of them are found in the raw text.
  for (AddedToken& token : use.added_tokens) token.normalized = token.normal_text = false;
  TERN_ASSIGN(use.frame, make_frame(model, config, use.added_tokens));
  return make_sentencepiece_tokenizer(model, std::move(use));
}

}  // namespace tern
