#include "engine/text/gguf_vocabulary.h"

#include <algorithm>
#include <cctype>

#include "engine/io/json_parse.h"
#include "engine/text/bpe_files.h"
#include "engine/text/gguf_splits.h"
#include "engine/text/parts/bpe.h"
#include "engine/text/parts/wordpiece.h"
#include "engine/text/sentencepiece_model.h"

namespace tern {
namespace {

using TokenizerPtr = std::unique_ptr<Tokenizer>;

PieceType type_of(const GgufVocabulary& file, size_t id) {
  return file.token_types.empty() ? PieceType::kNormal : PieceType(file.token_types[id]);
}

Status check_size(std::string_view key, size_t size, size_t num_tokens) {
  if (size == 0 || size == num_tokens) return {};
  return invalid_argument(std::string(key) + ": there are " + std::to_string(size) + " for " +
                          std::to_string(num_tokens) + " tokens");
}

Status check(const GgufVocabulary& file) {
  if (file.tokens.empty()) return invalid_argument("tokens: there are none");
  if (int64_t(file.tokens.size()) > kMaxVocabSize)
    return invalid_argument("tokens: there are " + std::to_string(file.tokens.size()) + ", limit " +
                            std::to_string(kMaxVocabSize));
  TERN_TRY(check_size("scores", file.scores.size(), file.tokens.size()));
  TERN_TRY(check_size("token_type", file.token_types.size(), file.tokens.size()));
  const std::pair<const char*, std::optional<int32_t>> ids[] = {
      {"bos_token_id", file.bos_id},
      {"eos_token_id", file.eos_id},
      {"unknown_token_id", file.unk_id},
      {"seperator_token_id", file.sep_id}};
  for (const auto& [key, id] : ids)
    if (id && (*id < 0 || size_t(*id) >= file.tokens.size()))
      return invalid_argument(std::string(key) + ": " + std::to_string(*id) +
                              " is not the id of a token");
  return {};
}

/// A token without a text cannot be told from another: its id becomes its text.
std::string token_text(const GgufVocabulary& file, size_t id) {
  return file.tokens[id].empty() ? "[EMPTY_" + std::to_string(id) + "]" : file.tokens[id];
}

Result<Vocabulary> make_vocabulary(const GgufVocabulary& file) {
  Vocabulary vocabulary;
  for (size_t id = 0; id < file.tokens.size(); ++id)
    TERN_TRY(vocabulary.add_again(token_text(file, id), int64_t(id)));
  return vocabulary;
}

/// Tokens that end an answer, whatever type a converter gave them.
bool ends_answer(std::string_view text) {
  constexpr std::string_view kTexts[] = {"<|eot_id|>",
                                         "<|im_end|>",
                                         "<|end|>",
                                         "<|return|>",
                                         "<|call|>",
                                         "<|flush|>",
                                         "<|calls|>",
                                         "<end_of_turn>",
                                         "<|endoftext|>",
                                         "</s>",
                                         "<|eom_id|>",
                                         "<EOT>",
                                         "_<EOT>",
                                         "[EOT]",
                                         "[EOS]",
                                         "<|end_of_text|>",
                                         "<eos>",
                                         "<turn|>",
                                         "[e~[",
                                         "<end_of_utterance>",
                                         "<|tool_response>",
                                         "<｜end▁of▁sentence｜>"};
  return std::ranges::count(kTexts, text) > 0;
}

/// Phi-3's special tokens take the white space behind them, which no key of the file says.
bool takes_space_behind(const GgufVocabulary& file, std::string_view text) {
  std::string name = file.name;
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  const bool is_phi3 = name.find("phi-3") != name.npos || name.find("phi3") != name.npos;
  return is_phi3 && text != "<unk>" && text != "<s>" && text != "<|endoftext|>";
}

std::vector<AddedToken> find_added_tokens(const GgufVocabulary& file) {
  std::vector<AddedToken> tokens;
  for (size_t id = 0; id < file.tokens.size(); ++id) {
    const std::string& text = file.tokens[id];
    const PieceType type = type_of(file, id);
    const bool ends =
        (type == PieceType::kNormal || type == PieceType::kUserDefined) && ends_answer(text);
    const bool special = type == PieceType::kControl || type == PieceType::kUnknown || ends;
    if (text.empty() || !(special || type == PieceType::kUserDefined)) continue;
    tokens.push_back({.id = int32_t(id),
                      .content = text,
                      .special = special,
                      .rstrip = takes_space_behind(file, text)});
  }
  std::ranges::stable_sort(tokens, {}, &AddedToken::content);
  const auto same = [](const AddedToken& a, const AddedToken& b) { return a.content == b.content; };
  tokens.erase(std::unique(tokens.begin(), tokens.end(), same), tokens.end());
  return tokens;
}

/// bos and eos where the file, or else the defaults, say that they are put around a text.
Result<TextFrame> make_frame(const GgufVocabulary& file, std::optional<int32_t> bos, bool add_bos,
                             std::optional<int32_t> eos, bool add_eos) {
  TextFrame frame;
  const auto add = [&](bool wanted, std::optional<int32_t> id, std::string_view key,
                       std::vector<int32_t>& ids) -> Status {
    if (!wanted) return {};
    if (!id || size_t(*id) >= file.tokens.size())
      return invalid_argument("add_" + std::string(key) + "_token is true, but there is no " +
                              std::string(key) + "_token_id");
    ids.push_back(*id);
    return {};
  };
  TERN_TRY(add(file.add_bos.value_or(add_bos), bos, "bos", frame.before));
  TERN_TRY(add(file.add_eos.value_or(add_eos), eos, "eos", frame.behind));
  return frame;
}

/// "llama" and "t5".
Result<TokenizerPtr> make_sentencepiece(const GgufVocabulary& file) {
  const bool is_llama = file.model == "llama";
  if (file.scores.empty()) return invalid_argument("scores: there are none");
  SentencePieceModel model;
  model.kind = is_llama ? SentencePieceModel::Kind::kBpe : SentencePieceModel::Kind::kUnigram;
  for (size_t id = 0; id < file.tokens.size(); ++id)
    model.pieces.push_back({token_text(file, id), file.scores[id], type_of(file, id)});
  model.unk_id = file.unk_id.value_or(is_llama ? 0 : 2);
  if (size_t(*model.unk_id) >= file.tokens.size()) model.unk_id.reset();
  model.byte_fallback = std::ranges::count(file.tokens, "<0x00>") > 0;
  model.charsmap = file.precompiled_charsmap;
  model.add_dummy_prefix = file.add_space_prefix.value_or(is_llama);
  model.remove_extra_whitespaces = !is_llama && file.remove_extra_whitespaces.value_or(false);
  SentencePieceUse use{.prefix_after_token = PrefixAfterToken::kAlways,
                       .all_symbols_are_tokens = true,
                       .double_precision = true,
                       .added_tokens = find_added_tokens(file)};
  TERN_ASSIGN(use.frame, make_frame(file, is_llama ? file.bos_id.value_or(1) : file.bos_id,
                                    is_llama, file.eos_id.value_or(is_llama ? 2 : 1), !is_llama));
  return make_sentencepiece_tokenizer(model, std::move(use));
}

Result<std::vector<Bpe::Pair>> read_merges(const GgufVocabulary& file) {
  if (file.merges.empty()) return invalid_argument("merges: there are none");
  std::vector<Bpe::Pair> merges;
  merges.reserve(file.merges.size());
  for (size_t i = 0; i < file.merges.size(); ++i) {
    const std::string& merge = file.merges[i];
    const size_t space = merge.find(' ', 1);  // the left token may be a space
    if (space == merge.npos)
      return invalid_argument("merges[" + std::to_string(i) + "]: " + in_quotes(merge) +
                              " is not two tokens with a space between");
    merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return merges;
}

/// The parts that turn text to the spelling of the vocabulary, and back.
Status set_spelling(const GgufSplit& split, PipelineParts& parts) {
  std::vector<std::unique_ptr<PreTokenizer>> cuts;
  if (split.digit_groups) cuts.push_back(make_digit_groups());
  for (const std::string_view pattern : split.patterns) {
    TERN_ASSIGN(Regex regex, Regex::compile(pattern));
    cuts.push_back(make_split(std::move(regex), SplitBehavior::kIsolated, false));
  }
  if (split.spells_bytes) {
    cuts.push_back(make_byte_level(false, false));
    parts.decoder = make_byte_level_decoder();
  } else {
    TERN_ASSIGN(Regex space, Regex::literal(" "));
    parts.normalizer = make_replace(std::move(space), "\u2581");
    parts.decoder = make_sentencepiece_decoder(false, false);
  }
  parts.pre_tokenizer = make_sequence(std::move(cuts));
  return {};
}

/// "gpt2" and "gemma4".
Result<TokenizerPtr> make_bpe(const GgufVocabulary& file) {
  const std::string& pre = file.model == "gemma4" ? file.model : file.pre;
  const auto split = find_gguf_split(pre);
  if (!split) return Status(Code::kUnimplemented, "pre: tern does not know " + in_quotes(pre));
  PipelineParts parts;
  TERN_TRY(set_spelling(*split, parts));
  parts.added_tokens = find_added_tokens(file);
  constexpr int32_t kDefaultBos = 11;  // Falcon's, the first model of this kind
  TERN_ASSIGN(parts.frame, make_frame(file, file.bos_id.value_or(kDefaultBos), split->add_bos,
                                      file.eos_id.value_or(kDefaultBos), false));
  TERN_ASSIGN(Vocabulary vocabulary, make_vocabulary(file));
  TERN_ASSIGN(const std::vector<Bpe::Pair> merges, read_merges(file));
  BpeOptions options{.unk_id = file.unk_id,
                     .byte_fallback = !split->spells_bytes,
                     .ignore_merges = split->ignore_merges};
  TERN_ASSIGN(parts.model, Bpe::create(std::move(vocabulary), merges, std::move(options)));
  return Pipeline::create(std::move(parts));
}

/// "bert": the vocabulary spells the first token of a word with U+2581, the others without "##".
Result<TokenizerPtr> make_wordpiece(const GgufVocabulary& file) {
  PipelineParts parts;
  BertNormalizerOptions normalizer;
  normalizer.lowercase = file.lowercase.value_or(true);
  normalizer.strip_accents = file.strip_accents.value_or(normalizer.lowercase);
  parts.normalizer = make_bert_normalizer(normalizer);
  parts.pre_tokenizer = make_bert_pre_tokenizer();
  constexpr int32_t kDefaultUnk = 100, kDefaultCls = 101, kDefaultSep = 102;
  parts.frame = {{file.bos_id.value_or(kDefaultCls)}, {file.sep_id.value_or(kDefaultSep)}};
  WordPieceOptions options{.unk_id = file.unk_id.value_or(kDefaultUnk),
                           .word_prefix = "\u2581",
                           .continuing_subword_prefix = "",
                           .max_input_chars_per_word = SIZE_MAX};
  if (size_t(options.unk_id) >= file.tokens.size())
    return invalid_argument("unknown_token_id: there is none");
  for (const int32_t id : {parts.frame.before[0], parts.frame.behind[0]})
    if (size_t(id) >= file.tokens.size())
      return invalid_argument("bos_token_id and seperator_token_id: there is no token " +
                              std::to_string(id));
  TERN_ASSIGN(Vocabulary vocabulary, make_vocabulary(file));
  parts.model = std::make_unique<WordPiece>(std::move(vocabulary), std::move(options));
  parts.added_tokens = find_added_tokens(file);
  parts.decoder = make_sentencepiece_decoder(true, false);
  return Pipeline::create(std::move(parts));
}

Result<TokenizerPtr> make_by_model(const GgufVocabulary& file) {
  TERN_TRY(check(file));
  if (file.model == "llama" || file.model == "t5") return make_sentencepiece(file);
  if (file.model == "gpt2" || file.model == "gemma4") return make_bpe(file);
  if (file.model == "bert") return make_wordpiece(file);
  return Status(Code::kUnimplemented, "model: tern does not know " + in_quotes(file.model));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_gguf_tokenizer(const GgufVocabulary& vocabulary,
                                                       const std::string& source) {
  auto tokenizer = make_by_model(vocabulary);
  if (!tokenizer.ok()) return tokenizer.status().with_context(source + ": tokenizer.ggml");
  return tokenizer;
}

}  // namespace tern
