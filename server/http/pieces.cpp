#include "server/http/pieces.h"

#include <algorithm>

namespace tern::http {
namespace {

std::string new_call_id() {
  std::string id = "call_" + uuid_v7();
  id.erase(std::remove(id.begin(), id.end(), '-'), id.end());
  return id;
}

}  // namespace

int32_t num_characters(std::string_view bytes) {
  return static_cast<int32_t>(std::count_if(bytes.begin(), bytes.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // all but continuation bytes
  }));
}

void join(Piece&& more, Piece* all) {
  all->text += more.text;
  append(std::move(more.calls), &all->calls);
  append(std::move(more.token_ids), &all->token_ids);
  append(std::move(more.logprobs), &all->logprobs);
  if (more.finished) all->finished = std::move(more.finished);
  all->has_calls |= more.has_calls;
}

std::string PieceMaker::prompt_text(const v1::GenerateRequest& request,
                                    const v1::Accepted& accepted, const Tokenizer* tokenizer) {
  const bool whole = request.has_text() && !request.has_truncate_prompt_tokens();
  if (whole || !tokenizer) return request.text();
  const std::vector<int32_t> ids(accepted.prompt_token_ids().begin(),
                                 accepted.prompt_token_ids().end());
  return tokenizer->decode(ids);
}

Piece PieceMaker::next(Delta&& delta) {
  Piece piece{.text_offset = text_offset_, .is_first = !begun_};
  if (!begun_ && options_.echo) {
    piece.text = echo_;
    if (options_.logprobs) piece.logprobs = answers_.prompt_logprobs(prompt_);
  }
  begun_ = true;
  if (!options_.prompt_only) {
    if (options_.parse_tool_calls) {
      ParsedText parsed = parser_.push(delta.text);
      if (delta.finished) {
        ParsedText rest = parser_.finish();
        parsed.text += rest.text;
        append(std::move(rest.calls), &parsed.calls);
      }
      piece.text += parsed.text;
      add_calls(std::move(parsed.calls), &piece);
    } else {
      piece.text += delta.text;
    }
    if (options_.return_token_ids) piece.token_ids = std::move(delta.token_ids);
    if (options_.logprobs) append(std::move(delta.logprobs), &piece.logprobs);
  }
  piece.finished = std::move(delta.finished);
  piece.has_calls = num_calls_ > 0;
  if (const Tokenizer* tokenizer = answers_.tokenizer())
    for (const TokenLogprobs& token : piece.logprobs)
      text_offset_ += num_characters(tokenizer->token_bytes(token.chosen.token_id));
  return piece;
}

void PieceMaker::add_calls(std::vector<ToolCall>&& calls, Piece* piece) {
  for (ToolCall& call : calls) {
    if (num_calls_ > 0 && !options_.parallel_tool_calls) return;
    piece->calls.push_back({num_calls_++, new_call_id(), std::move(call)});
  }
}

}  // namespace tern::http
