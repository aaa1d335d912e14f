#include "engine/serve/check_request.h"

#include <algorithm>

namespace tern {
namespace {

Status too_long(int64_t prompt, int64_t max_tokens, int64_t limit) {
  return Status(Code::kOutOfRange,
                "prompt of " + std::to_string(prompt) + " tokens + max_tokens " +
                    std::to_string(max_tokens) + " exceeds the context of " +
                    std::to_string(limit) + " tokens",
                {.reason = "CONTEXT_EXCEEDED",
                 .metadata = {{"value", std::to_string(prompt + max_tokens)},
                              {"limit", std::to_string(limit)}}});
}

// The ids of each spelling: a word in a text has a space in front more often than not.
Status spell_bad_words(const Tokenizer& tokenizer, SamplingParams& sampling) {
  for (const std::string& word : sampling.bad_words) {
    const std::string bare = word.substr(std::min(word.find_first_not_of(' '), word.size()));
    for (const std::string& spelling : {bare, " " + bare}) {
      if (spelling.empty()) continue;  // of a word that is all spaces
      Result<std::vector<int32_t>> ids = tokenizer.encode(spelling, {.add_special_tokens = false});
      if (!ids.ok()) return ids.status().with_context("bad_words: '" + word + "'");
      if (ids->empty()) return invalid_argument("bad_words: '" + word + "' is no token");
      sampling.bad_word_token_ids.push_back(*std::move(ids));
    }
  }
  return {};
}

}  // namespace

Status check_request(const ModelInfo& info, const Tokenizer* tokenizer, Request& request) {
  request.sampling.bad_word_token_ids.clear();  // ours to fill in
  TERN_TRY(request.sampling.validate());
  const int64_t prompt = static_cast<int64_t>(request.prompt_token_ids.size());
  if (prompt == 0) return invalid_argument("prompt: must hold at least one token");
  int32_t& max_tokens = request.sampling.max_tokens;
  if (request.prompt_only) max_tokens = 0;
  if (prompt + !request.prompt_only > info.max_model_len)
    return too_long(prompt, request.prompt_only ? 0 : std::max(max_tokens, 1), info.max_model_len);
  if (max_tokens == 0 && !request.prompt_only)
    max_tokens = static_cast<int32_t>(info.max_model_len - prompt);
  if (prompt + max_tokens > info.max_model_len)
    return too_long(prompt, max_tokens, info.max_model_len);
  TERN_TRY(request.sampling.validate_min_tokens());  // now that max_tokens is known
  TERN_TRY(request.sampling.validate_ids(info.vocab_size));
  for (size_t i = 0; i < request.prompt_token_ids.size(); ++i) {
    const int32_t id = request.prompt_token_ids[i];
    if (id < 0 || id >= info.vocab_size)
      return invalid_argument("prompt token " + std::to_string(i) + ": id " + std::to_string(id) +
                              " is outside the vocabulary of " + std::to_string(info.vocab_size));
  }
  if (!request.sampling.stop.empty() && tokenizer == nullptr)
    return invalid_argument("stop: the model has no tokenizer, so there is no text to match");
  if (request.sampling.bad_words.empty()) return {};
  if (tokenizer == nullptr)
    return invalid_argument("bad_words: the model has no tokenizer to spell them");
  return spell_bad_words(*tokenizer, request.sampling);
}

}  // namespace tern
