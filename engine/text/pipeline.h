// A tokenizer as tokenizer.json describes it: added tokens, pre-tokenizer, model, post-processor,
// decoder.
#pragma once

#include <memory>
#include <unordered_map>

#include "engine/text/added_tokens.h"
#include "engine/text/pre_tokenizer.h"
#include "engine/text/token_model.h"
#include "engine/text/tokenizer.h"

namespace tern {

/// What add_special_tokens puts around the ids of a text.
struct TextFrame {
  std::vector<int32_t> before;
  std::vector<int32_t> behind;
};

struct PipelineParts {
  // Found in the text as it is, and after normalization.
  std::vector<AddedToken> raw_tokens;
  std::vector<AddedToken> normalized_tokens;
  std::unique_ptr<PreTokenizer> pre_tokenizer;  ///< null: a text is one piece
  std::unique_ptr<TokenModel> model;
  TextFrame frame;
};

class Pipeline final : public Tokenizer {
 public:
  /// kInvalidArgument where an added token contradicts another one or the model's vocabulary.
  static Result<std::unique_ptr<Tokenizer>> create(PipelineParts parts);

  Result<std::vector<int32_t>> encode(std::string_view text,
                                      const EncodeOptions& options) const override;
  std::string_view token_bytes(int32_t id) const override;
  std::string_view token_piece(int32_t id) const override;
  bool is_special(int32_t id) const override;
  std::optional<int32_t> token_id(std::string_view piece) const override;
  int32_t vocab_size() const override { return int32_t(bytes_.size()); }

 private:
  Status add(const AddedToken& token);
  void fill_bytes();

  AddedTokenFinder raw_finder_;
  AddedTokenFinder normalized_finder_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  std::unique_ptr<TokenModel> model_;
  TextFrame frame_;
  std::unordered_map<int32_t, AddedToken> added_;
  Vocabulary added_ids_;            // of added tokens by their content
  std::vector<std::string> bytes_;  // token_bytes by id
};

}  // namespace tern
