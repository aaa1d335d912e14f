// The two shapes of OpenAI's answers.
#pragma once

#include "server/http/json.h"
#include "server/http/pieces.h"

namespace tern::http {

/// What a choice is written with, besides its pieces.
struct ChoiceContext {
  const Answers& answers;
  const AnswerOptions& options;
  int32_t prompt = 0;  ///< the one that is answered
  int32_t index = 0;   ///< of the choice
};

/// One endpoint's shape. A streamed chunk and a whole answer differ in their names only.
struct Format {
  const char* id_prefix;
  const char* object;
  const char* chunk_object;
  /// An element of `choices`: of a whole answer, or of a chunk.
  Json (*choice)(const Piece&, const ChoiceContext&, bool is_chunk);
  /// What a stream begins each choice with; null: nothing.
  Json (*opening)(int32_t choice_index);
};

extern const Format kCompletionFormat;
extern const Format kChatFormat;

/// Log-probabilities of prompt tokens, an object a token by id; null for the first.
Json prompt_logprobs_json(const std::vector<TokenLogprobs>& logprobs, const Tokenizer* tokenizer);

}  // namespace tern::http
