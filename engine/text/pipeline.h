// A tokenizer made of parts, as tokenizer.json describes them all: added tokens, normalizer,
// pre-tokenizer, model, post-processor, decoder.
#pragma once

#include <memory>
#include <unordered_map>

#include "engine/text/parts/added_tokens.h"
#include "engine/text/parts/decoder.h"
#include "engine/text/parts/normalizer.h"
#include "engine/text/parts/pre_tokenizer.h"
#include "engine/text/parts/token_model.h"
#include "engine/text/tokenizer.h"

namespace tern {

/// What add_special_tokens puts around the ids of a text.
struct TextFrame {
  std::vector<int32_t> before;
  std::vector<int32_t> behind;
};

struct PipelineParts {
  std::vector<AddedToken> added_tokens;         ///< each with an id and a content of its own
  NormalizerPtr normalizer;                     ///< null: a text stays as it is
  std::unique_ptr<PreTokenizer> pre_tokenizer;  ///< null: a text is one piece
  std::unique_ptr<TokenModel> model;
  TextFrame frame;
  DecoderPtr decoder;  ///< null: tokens are put together with spaces between
  /// What the decoder gets for ids that do not decode as they are spelled.
  std::unordered_map<int32_t, std::string> surfaces;
};

class Pipeline final : public Tokenizer {
 public:
  /// kInvalidArgument where two added tokens have one id or one content.
  static Result<std::unique_ptr<Tokenizer>> create(PipelineParts parts);

  Result<std::vector<int32_t>> encode(std::string_view text,
                                      const EncodeOptions& options) const override;
  std::string normalized(std::string_view characters) const override;
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const override;
  std::string_view token_bytes(int32_t id) const override;
  std::string_view token_piece(int32_t id) const override;
  bool is_special(int32_t id) const override;
  std::optional<int32_t> token_id(std::string_view piece) const override;
  int32_t vocab_size() const override { return int32_t(bytes_.size()); }

 private:
  Status add(const AddedToken& token);
  Status make_finders();
  void fill_bytes();
  bool has(int32_t id) const;
  std::string surface(int32_t id) const;
  Status encode_text(std::string_view text, bool at_start, const EncodeOptions& options,
                     std::vector<int32_t>& ids) const;

  PipelineParts parts_;  // whose added tokens are in the finders
  AddedTokenFinder raw_finder_;
  AddedTokenFinder normalized_finder_;
  std::unordered_map<int32_t, AddedToken> added_;
  Vocabulary added_ids_;            // of added tokens by their content
  std::vector<std::string> bytes_;  // token_bytes by id
};

}  // namespace tern
