#include "server/http/pieces.h"

#include <algorithm>
#include <utility>

#include "base/utf8_char.h"

namespace tern::http {
namespace {

std::string new_call_id() {
  std::string id = "call_" + uuid_v7();
  id.erase(std::remove(id.begin(), id.end(), '-'), id.end());
  return id;
}

void join(ParsedText&& more, ParsedText* all) {
  all->text += more.text;
  append(std::move(more.calls), &all->calls);
}

bool skips_special_tokens(const v1::GenerateRequest& request) {
  const v1::ResponseOptions& response = request.response();
  return !response.has_skip_special_tokens() || response.skip_special_tokens();
}

}  // namespace

void join(Piece&& more, Piece* all) {
  all->text += more.text;
  append(std::move(more.calls), &all->calls);
  append(std::move(more.token_ids), &all->token_ids);
  append(std::move(more.logprobs), &all->logprobs);
  append(std::move(more.text_offsets), &all->text_offsets);
  if (more.finished) all->finished = std::move(more.finished);
  all->has_calls |= more.has_calls;
  all->hides_last |= more.hides_last;
}

PromptText prompt_text(const v1::GenerateRequest& request, const v1::Accepted& accepted,
                       const Tokenizer* tokenizer) {
  if (!tokenizer) return {};
  const bool whole = request.has_text() && !request.has_truncate_prompt_tokens();
  const v1::TextOptions& options = request.text_options();
  return describe_prompt({accepted.prompt_token_ids().begin(), accepted.prompt_token_ids().end()},
                         whole ? &request.text() : nullptr, to_encode_options(options),
                         skips_special_tokens(request), *tokenizer);
}

PieceMaker::PieceMaker(const Answers& answers, const GenerateBody& body, int32_t prompt,
                       const PromptText& prompt_text)
    : answers_(answers),
      request_(body.requests[prompt]),
      options_(body.options),
      prompt_(prompt),
      prompt_text_(prompt_text),
      offsets_(static_cast<int32_t>(num_chars(prompt_text.text))) {}

Piece PieceMaker::next(ChoiceDelta&& delta) {
  Piece piece{.is_first = !std::exchange(begun_, true)};
  if (piece.is_first && options_.echo) add_prompt(&piece);
  add_text(delta, &piece);
  if (options_.return_token_ids) piece.token_ids = std::move(delta.token_ids);
  if (options_.logprobs) add_logprobs(std::move(delta.logprobs), &piece);
  piece.finished = std::move(delta.finished);
  piece.has_calls = num_calls_ > 0;
  if (piece.finished && piece.finished->has_token_id())
    piece.hides_last = !request_.sampling().stopping().include_stop_str_in_output() ||
                       bytes_in_text(int32_t(piece.finished->token_id())).empty();
  return piece;
}

void PieceMaker::add_prompt(Piece* piece) {
  piece->text = prompt_text_.text;
  if (!options_.logprobs) return;
  piece->logprobs = answers_.prompt_logprobs(prompt_);
  piece->text_offsets = prompt_text_.offsets;
  piece->text_offsets.resize(piece->logprobs.size());  // without a tokenizer there were none
}

void PieceMaker::add_text(const ChoiceDelta& delta, Piece* piece) {
  if (!options_.parse_tool_calls) {
    piece->text += delta.text;
    return;
  }
  for (const int32_t id : delta.token_ids) add_to_marker(id);
  ParsedText parsed = parser_.push(marker_.push(delta.text));
  if (delta.finished) {
    join(parser_.push(marker_.finish()), &parsed);
    join(parser_.finish(), &parsed);
  }
  piece->text += parsed.text;
  add_calls(std::move(parsed.calls), piece);
}

// The tags are in the text, since the parser needs them; of other special tokens nothing is.
void PieceMaker::add_to_marker(int32_t id) {
  const Tokenizer* tokenizer = answers_.tokenizer();
  if (!tokenizer || !options_.skip_special_tokens) return;
  if (!tokenizer->is_special(id)) return marker_.add_token(tokenizer->token_bytes(id));
  for (const std::string_view tag : {kToolCallOpen, kToolCallClose})
    if (tokenizer->token_id(tag) == id) marker_.add_tag();
}

void PieceMaker::add_logprobs(std::vector<TokenLogprobs>&& logprobs, Piece* piece) {
  for (const TokenLogprobs& token : logprobs)
    piece->text_offsets.push_back(offsets_.next(bytes_in_text(token.chosen.token_id)));
  append(std::move(logprobs), &piece->logprobs);
}

std::string_view PieceMaker::bytes_in_text(int32_t id) const {
  const Tokenizer* tokenizer = answers_.tokenizer();
  if (!tokenizer || (skips_special_tokens(request_) && tokenizer->is_special(id))) return {};
  return tokenizer->token_bytes(id);
}

void PieceMaker::add_calls(std::vector<ToolCall>&& calls, Piece* piece) {
  for (ToolCall& call : calls) {
    if (num_calls_ > 0 && !options_.parallel_tool_calls) return;
    piece->calls.push_back({num_calls_++, new_call_id(), std::move(call)});
  }
}

}  // namespace tern::http
