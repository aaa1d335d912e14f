#include <algorithm>

#include "engine/io/json_parse.h"
#include "engine/io/lenient_json.h"
#include "engine/text/bpe_files.h"
#include "engine/text/parts/bpe.h"
#include "engine/text/pipeline.h"
#include "engine/text/tokenizer_json.h"

namespace tern {
namespace {

Result<std::vector<Bpe::Pair>> read_merges(std::string_view text, const std::string& source) {
  std::vector<Bpe::Pair> merges;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos)
      return invalid_argument(source + ":" + std::to_string(line_number) + ": " + in_quotes(line) +
                              " is not two tokens with a space between");
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

/// How transformers' class of this name cuts a text, beside the files.
struct Family {
  std::string_view tokenizer_class;
  std::string_view pattern;       ///< empty: GPT-2's
  bool nfc = false;               ///< texts are composed first
  bool wrapped = false;           ///< bos and eos are put around a text
  std::string_view special = "";  ///< tokens that are special without being listed
};

constexpr Family kFamilies[] = {
    {.tokenizer_class = "", .pattern = "", .special = "<|endoftext|>"},
    {.tokenizer_class = "GPT2Tokenizer", .pattern = "", .special = "<|endoftext|>"},
    {.tokenizer_class = "CodeGenTokenizer", .pattern = "", .special = "<|endoftext|>"},
    {.tokenizer_class = "RobertaTokenizer", .pattern = "", .wrapped = true},
    {.tokenizer_class = "BartTokenizer", .pattern = "", .wrapped = true},
    {.tokenizer_class = "LongformerTokenizer", .pattern = "", .wrapped = true},
    {.tokenizer_class = "Qwen2Tokenizer",
     .pattern = kQwen2Pattern,
     .nfc = true,
     .special = "<|endoftext|>"},
    {.tokenizer_class = "Qwen3_5Tokenizer", .pattern = kQwen35Pattern, .special = "<|endoftext|>"},
};

/// Those of the files, and the class's own that the vocabulary holds.
std::vector<AddedToken> find_added_tokens(const Family& family, const Vocabulary& vocabulary,
                                          const TokenizerConfig& config) {
  std::vector<AddedToken> tokens = in_adding_order({}, config.tokens);
  std::vector<std::string> own = {std::string(family.special)};
  if (family.wrapped) own = {"<s>", "</s>", "<pad>", "<unk>", "<mask>"};
  for (const std::string& content : own) {
    const bool known = std::ranges::count(tokens, content, &AddedToken::content) > 0;
    if (!known && vocabulary.find(content)) tokens.push_back({.content = content, .special = true});
  }
  const auto is_listed = [&](const AddedToken& token) {
    return std::ranges::count(config.tokens.listed, token.content, &AddedToken::content) > 0;
  };
  for (AddedToken& token : tokens)
    if (family.wrapped && token.content == "<mask>" && !is_listed(token)) token.lstrip = true;
  return number_added_tokens(tokens, vocabulary);
}

Result<TextFrame> make_frame(const Family& family, const std::vector<AddedToken>& tokens,
                             const TokenizerConfig& config) {
  const auto id_of = [&](const std::string& content) -> std::vector<int32_t> {
    const auto it = std::ranges::find(tokens, content, &AddedToken::content);
    return it == tokens.end() ? std::vector<int32_t>() : std::vector{it->id};
  };
  const auto or_else = [](const std::string& content, const char* otherwise) {
    return content.empty() ? otherwise : content;
  };
  TextFrame frame;
  const char* const bos = family.wrapped ? "<s>" : "<|endoftext|>";
  const char* const eos = family.wrapped ? "</s>" : "<|endoftext|>";
  if (family.wrapped || config.add_bos_token.value_or(false))
    frame.before = id_of(or_else(config.bos_token, bos));
  if (family.wrapped || config.add_eos_token.value_or(false))
    frame.behind = id_of(or_else(config.eos_token, eos));
  return frame;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> parse_vocab_merges(const VocabMerges& files,
                                                      const TokenizerConfig& config) {
  const auto family =
      std::ranges::find(kFamilies, config.tokenizer_class, &Family::tokenizer_class);
  if (family == std::end(kFamilies))
    return Status(Code::kUnimplemented, config.source + ": tern does not know how " +
                                            in_quotes(config.tokenizer_class) +
                                            " cuts a text: it needs the model's tokenizer.json");
  TERN_ASSIGN(const nlohmann::json vocab, parse_lenient_json(files.vocab, files.vocab_source));
  TERN_ASSIGN(Vocabulary vocabulary, read_vocabulary(JsonNode(vocab, files.vocab_source + ": $")));
  TERN_ASSIGN(const std::vector<Bpe::Pair> merges, read_merges(files.merges, files.merges_source));
  PipelineParts parts;
  parts.added_tokens = find_added_tokens(*family, vocabulary, config);
  TERN_ASSIGN(parts.frame, make_frame(*family, parts.added_tokens, config));
  auto bpe = Bpe::create(std::move(vocabulary), merges, {});
  if (!bpe.ok()) return bpe.status().with_context(files.merges_source);
  parts.model = *std::move(bpe);
  if (family->nfc) parts.normalizer = make_unicode_form(UnicodeForm::kNfc);
  if (family->pattern.empty()) {
    parts.pre_tokenizer = make_byte_level(config.add_prefix_space.value_or(false), true);
  } else {
    TERN_ASSIGN(parts.pre_tokenizer, make_byte_level_splits(std::array{family->pattern}));
  }
  parts.decoder = make_byte_level_decoder();
  return Pipeline::create(std::move(parts));
}

}  // namespace tern
