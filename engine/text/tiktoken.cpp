#include <algorithm>
#include <charconv>

#include "engine/io/json_parse.h"
#include "engine/text/base64.h"
#include "engine/text/bpe_files.h"
#include "engine/text/parts/byte_level.h"
#include "engine/text/parts/scored_bpe.h"
#include "engine/text/pipeline.h"

namespace tern {
namespace {

constexpr int32_t kLlama3NumRanks = 128'000;

struct Rank {
  std::string bytes;
  int64_t number = -1;
};

/// "aGVsbG8= 123"; nothing where it is anything else.
std::optional<Rank> parse_line(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == line.npos || space == 0) return std::nullopt;
  auto bytes = decode_base64(line.substr(0, space));
  Rank rank;
  const auto [stop, error] =
      std::from_chars(line.data() + space + 1, line.data() + line.size(), rank.number);
  if (!bytes || error != std::errc() || stop != line.data() + line.size()) return std::nullopt;
  rank.bytes = *std::move(bytes);
  return rank;
}

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Result<Vocabulary> read_ranks(std::string_view text) {
  Vocabulary vocabulary;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::string_view line = take_line(text);
    if (line.empty()) continue;
    const auto rank = parse_line(line);
    const std::string where = "line " + std::to_string(line_number);
    if (!rank) return invalid_argument(where + ": is not \"base64 rank\"");
    std::string piece;
    append_byte_level(piece, rank->bytes);
    if (Status s = vocabulary.add(piece, rank->number); !s.ok()) return s.with_context(where);
  }
  for (int byte = 0; byte < 256; ++byte) {
    std::string piece;
    append_byte_level(piece, std::string(1, char(byte)));
    if (!vocabulary.find(piece))
      return invalid_argument("there is no rank for byte " + std::to_string(byte));
  }
  return vocabulary;
}

Result<std::vector<AddedToken>> llama3_special_tokens(int32_t num_ranks) {
  if (num_ranks != kLlama3NumRanks)
    return Status(Code::kUnimplemented,
                  "tern knows the special tokens of Llama 3's " + std::to_string(kLlama3NumRanks) +
                      " ranks, not those of " + std::to_string(num_ranks) +
                      ": tokenizer_config.json must list them in added_tokens_decoder");
  constexpr int kNumSpecial = 256, kNumReservedInFront = 4;
  std::vector<std::string> names = {"<|begin_of_text|>", "<|end_of_text|>"};
  int num_reserved = 0;
  const auto reserve = [&] {
    names.push_back("<|reserved_special_token_" + std::to_string(num_reserved++) + "|>");
  };
  while (num_reserved < kNumReservedInFront) reserve();
  names.insert(names.end(), {"<|start_header_id|>", "<|end_header_id|>"});
  reserve();
  names.emplace_back("<|eot_id|>");
  while (names.size() < kNumSpecial) reserve();
  std::vector<AddedToken> tokens;
  for (const std::string& name : names)
    tokens.push_back({.id = num_ranks + int32_t(tokens.size()), .content = name, .special = true});
  return tokens;
}

}  // namespace

Result<std::unique_ptr<PreTokenizer>> make_byte_level_splits(
    std::span<const std::string_view> patterns) {
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  for (const std::string_view pattern : patterns) {
    TERN_ASSIGN(Regex regex, Regex::compile(pattern));
    parts.push_back(make_split(std::move(regex), SplitBehavior::kIsolated, false));
  }
  parts.push_back(make_byte_level(false, false));
  return make_sequence(std::move(parts));
}

bool is_tiktoken(std::string_view text) {
  return parse_line(take_line(text)).has_value();
}

Result<std::unique_ptr<Tokenizer>> parse_tiktoken(std::string_view text,
                                                  const TokenizerConfig& config) {
  TERN_ASSIGN(Vocabulary vocabulary, read_ranks(text));
  PipelineParts parts;
  parts.added_tokens = keep_or_number(config.tokens.listed, vocabulary);
  if (parts.added_tokens.empty()) {
    TERN_ASSIGN(parts.added_tokens, llama3_special_tokens(vocabulary.size()));
  }
  const std::string bos = config.bos_token.empty() ? "<|begin_of_text|>" : config.bos_token;
  for (const AddedToken& token : parts.added_tokens) {
    if (token.content == bos && config.add_bos_token.value_or(true))
      parts.frame.before = {token.id};
    if (token.content == config.eos_token && config.add_eos_token.value_or(false))
      parts.frame.behind = {token.id};
  }
  ScoredBpeOptions options{.whole_pieces = true};
  for (int32_t id = 0; id < vocabulary.size(); ++id) options.scores.push_back(-float(id));
  TERN_ASSIGN(parts.model, ScoredBpe::create(std::move(vocabulary), std::move(options)));
  TERN_ASSIGN(parts.pre_tokenizer, make_byte_level_splits(std::array{kLlama3Pattern}));
  parts.decoder = make_byte_level_decoder();
  return Pipeline::create(std::move(parts));
}

}  // namespace tern
