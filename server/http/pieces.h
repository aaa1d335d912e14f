// Answers as both formats show them, whether in one piece or in many.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/http/answers.h"
#include "server/http/generate_request.h"
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
  std::optional<v1::Finished> finished;
  int32_t text_offset = 0;  ///< characters of the choice's tokens before this piece
  bool is_first = false;
  bool has_calls = false;  ///< the choice has some, here or before

  bool is_empty() const {
    return text.empty() && calls.empty() && token_ids.empty() && logprobs.empty() && !finished;
  }
};

/// `all`, followed by `more`.
void join(Piece&& more, Piece* all);

/// Makes the pieces of one choice of its deltas, in their order. One thread.
class PieceMaker {
 public:
  /// Both must outlive this. `prompt`: the one that is answered.
  PieceMaker(const Answers& answers, const AnswerOptions& options, int32_t prompt)
      : answers_(answers), options_(options), prompt_(prompt) {}

  Piece next(Delta&& delta);

  /// The prompt as text, as far as it is known: what the client sent, else its tokens'.
  static std::string prompt_text(const v1::GenerateRequest& request, const v1::Accepted& accepted,
                                 const Tokenizer* tokenizer);

  /// Of options.echo.
  void set_echo(std::string text) { echo_ = std::move(text); }

 private:
  void add_calls(std::vector<ToolCall>&& calls, Piece* piece);

  const Answers& answers_;
  const AnswerOptions& options_;
  const int32_t prompt_;
  std::string echo_;
  ToolCallParser parser_;
  int32_t text_offset_ = 0;
  int32_t num_calls_ = 0;
  bool begun_ = false;
};

/// The characters that a token stands for.
int32_t num_characters(std::string_view bytes);

}  // namespace tern::http
