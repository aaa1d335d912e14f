// A SentencePiece model: its pieces and how it treats a text. The file tokenizer.model holds one;
// a GGUF file spells one out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/text/pipeline.h"
#include "engine/text/tokenizer_config.h"

namespace tern {

/// The numbers are those of both file formats.
enum class PieceType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct SentencePieceModel {
  enum class Kind : int32_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };

  Kind kind = Kind::kUnigram;
  std::vector<Piece> pieces;  ///< by id
  std::optional<int32_t> unk_id, bos_id, eos_id;
  std::string unk_surface = " \u2047 ";  ///< what the unknown token decodes as
  bool byte_fallback = false;
  std::string charsmap;  ///< precompiled
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool treat_whitespace_as_suffix = false;
};

/// How a model is put to use, which the model itself does not say.
struct SentencePieceUse {
  PrefixAfterToken prefix_after_token = PrefixAfterToken::kUnlessSpace;
  /// User-defined and unknown pieces are found before the text is normalized, as GGUF's are.
  bool all_symbols_are_tokens = false;
  bool double_precision = false;         ///< unigram's sums, as GGUF's reference adds them
  std::vector<AddedToken> added_tokens;  ///< these come before what the model says of them
  TextFrame frame;
};

/// Reads the bytes of a tokenizer.model. kInvalidArgument naming the part that is broken.
Result<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes);

/// kUnimplemented for the kinds word and char; kInvalidArgument where pieces contradict each other.
Result<std::unique_ptr<Tokenizer>> make_sentencepiece_tokenizer(const SentencePieceModel& model,
                                                                SentencePieceUse use);

/// The tokenizer of a directory with a tokenizer.model. kUnimplemented where config.tokenizer_class
/// numbers the pieces otherwise.
Result<std::unique_ptr<Tokenizer>> parse_sentencepiece_tokenizer(std::string_view bytes,
                                                                 const TokenizerConfig& config);

}  // namespace tern
