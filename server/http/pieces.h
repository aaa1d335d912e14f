// Answers as both formats show them, whether in one piece or in many.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/http/answers.h"
#include "server/http/generate_request.h"
#include "server/http/text_offsets.h"
#include "server/http/tool_call_parser.h"

namespace tern::http {

/// A part of a choice; the join of all parts is the choice.
struct Piece {
  struct Call {
    int32_t index = 0;  ///< in the choice
    std::string id;
    ToolCall call;
  };

  std::string text;
  std::vector<Call> calls;
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprobs> logprobs;
  std::vector<int32_t> text_offsets;  ///< of the tokens of `logprobs`, in a completion
  std::optional<v1::Finished> finished;
  bool is_first = false;
  bool has_calls = false;   ///< the choice has some, here or before
  bool hides_last = false;  ///< the text does not show the token that ended the choice

  bool is_empty() const {
    return text.empty() && calls.empty() && token_ids.empty() && logprobs.empty() && !finished;
  }
};

/// `all`, followed by `more`.
void join(Piece&& more, Piece* all);

/// Makes the pieces of one choice of its deltas, in their order. One thread.
class PieceMaker {
 public:
  /// All must outlive this. `prompt`: the one that is answered; `prompt_text`: empty unless
  /// options.echo or a completion's logprobs need it.
  PieceMaker(const Answers& answers, const GenerateBody& body, int32_t prompt,
             const PromptText& prompt_text);

  Piece next(ChoiceDelta&& delta);

 private:
  void add_prompt(Piece* piece);
  void add_text(const ChoiceDelta& delta, Piece* piece);
  void add_to_marker(int32_t id);
  void add_calls(std::vector<ToolCall>&& calls, Piece* piece);
  void add_logprobs(std::vector<TokenLogprobs>&& logprobs, Piece* piece);
  std::string_view bytes_in_text(int32_t id) const;

  const Answers& answers_;
  const v1::GenerateRequest& request_;
  const AnswerOptions& options_;
  const int32_t prompt_;
  const PromptText& prompt_text_;
  TagMarker marker_;
  ToolCallParser parser_;
  TextOffsets offsets_;
  int32_t num_calls_ = 0;
  bool begun_ = false;
};

/// What a completion knows of the prompt that `accepted` tells of. Without a tokenizer: nothing.
PromptText prompt_text(const v1::GenerateRequest& request, const v1::Accepted& accepted,
                       const Tokenizer* tokenizer);

}  // namespace tern::http
