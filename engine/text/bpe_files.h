// Byte-level BPE without a tokenizer.json: tiktoken's ranks, and vocab.json with merges.txt.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/text/parts/pre_tokenizer.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_config.h"

namespace tern {

/// Patterns by which models of these families cut a text.
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen35Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// Cuts at each of `patterns` in turn, then spells bytes as GPT-2's characters.
Result<std::unique_ptr<PreTokenizer>> make_byte_level_splits(
    std::span<const std::string_view> patterns);

/// Whether `text` begins as a file of tiktoken's ranks does: base64, a space, a number.
bool is_tiktoken(std::string_view text);

/// A tokenizer.model of tiktoken's ranks, cut as Llama 3 cuts. Its special tokens are
/// config.tokens.listed, or Llama 3's own where there are none. kInvalidArgument naming the line
/// that is broken.
Result<std::unique_ptr<Tokenizer>> parse_tiktoken(std::string_view text,
                                                  const TokenizerConfig& config);

/// kInvalidArgument naming the file (`vocab_source`, `merges_source`) and place that is broken;
/// kUnimplemented where tern does not know how config.tokenizer_class cuts a text.
struct VocabMerges {
  std::string_view vocab, merges;  ///< the files' texts
  std::string vocab_source, merges_source;
};
Result<std::unique_ptr<Tokenizer>> parse_vocab_merges(const VocabMerges& files,
                                                      const TokenizerConfig& config);

}  // namespace tern
