#include "server/http/format.h"

#include <span>

#include "base/utf8.h"

namespace tern::http {
namespace {

std::string_view bytes_of(int32_t id, const Tokenizer* tokenizer) {
  return tokenizer ? tokenizer->token_bytes(id) : std::string_view();
}

Json value_of(const TokenLogprob& token) {
  return token.logprob ? Json(*token.logprob) : Json(nullptr);
}

Json finish_reason(const Piece& piece) {
  if (!piece.finished) return nullptr;
  switch (piece.finished->reason()) {
    case v1::FINISH_REASON_LENGTH:
    case v1::FINISH_REASON_CONTEXT_FULL:
      return "length";
    default:
      return piece.has_calls ? "tool_calls" : "stop";
  }
}

// What ended the answer, where the request named it.
Json stop_reason(const Piece& piece) {
  if (!piece.finished) return nullptr;
  if (piece.finished->has_stop_string()) return piece.finished->stop_string();
  if (piece.finished->reason() == v1::FINISH_REASON_STOP_TOKEN) return piece.finished->token_id();
  return nullptr;
}

void add_extras(const Piece& piece, const ChoiceContext& context, bool is_chunk, Json* out) {
  if (!is_chunk || piece.finished) (*out)["stop_reason"] = stop_reason(piece);
  if (!context.options.return_token_ids) return;
  (*out)["token_ids"] = piece.token_ids;
  if (piece.is_first)
    (*out)["prompt_token_ids"] = context.answers.accepted(context.prompt).prompt_token_ids();
}

// ---- completions ----

// A token as text; where it is part of a character, its bytes, spelt as OpenAI spells them.
std::string token_text(int32_t id, const Tokenizer* tokenizer) {
  const std::string_view bytes = bytes_of(id, tokenizer);
  if (!find_invalid_utf8(bytes)) return std::string(bytes);
  std::string out = "bytes:";
  for (const unsigned char byte : bytes) {
    char hex[5];
    std::snprintf(hex, sizeof hex, "\\x%02x", byte);
    out += hex;
  }
  return out;
}

Json completion_logprobs(const Piece& piece, const Tokenizer* tokenizer) {
  Json tokens = Json::array(), values = Json::array(), tops = Json::array();
  for (const TokenLogprobs& token : piece.logprobs) {
    tokens.push_back(token_text(token.chosen.token_id, tokenizer));
    values.push_back(value_of(token.chosen));
    Json top;  // null where there is nothing to tell: a first prompt token
    for (const TokenLogprob& other : token.top)
      if (other.logprob) top.emplace(token_text(other.token_id, tokenizer), *other.logprob);
    if (token.chosen.logprob) top.emplace(tokens.back(), *token.chosen.logprob);
    tops.push_back(std::move(top));
  }
  return Json{{"tokens", std::move(tokens)},
              {"token_logprobs", std::move(values)},
              {"top_logprobs", std::move(tops)},
              {"text_offset", piece.text_offsets}};
}

Json completion_choice(const Piece& piece, const ChoiceContext& context, bool is_chunk) {
  Json out{{"index", context.index}, {"text", piece.text}, {"logprobs", nullptr}};
  const Tokenizer* tokenizer = context.answers.tokenizer();
  if (context.options.logprobs) out["logprobs"] = completion_logprobs(piece, tokenizer);
  out["finish_reason"] = finish_reason(piece);
  add_extras(piece, context, is_chunk, &out);
  if (context.options.prompt_logprobs)
    out["prompt_logprobs"] =
        prompt_logprobs_json(context.answers.prompt_logprobs(context.prompt), tokenizer);
  return out;
}

// ---- chat ----

Json chat_token(const TokenLogprob& token, const Tokenizer* tokenizer) {
  const std::string_view bytes = bytes_of(token.token_id, tokenizer);
  Json numbers = Json::array();
  for (const unsigned char byte : bytes) numbers.push_back(byte);
  return Json{
      {"token", sanitize_utf8(bytes)}, {"logprob", value_of(token)}, {"bytes", std::move(numbers)}};
}

// Tells the log-probabilities of the content's tokens; the one that ended it is none of them.
Json chat_logprobs(const Piece& piece, const Tokenizer* tokenizer) {
  Json content = Json::array();
  const bool skips_last = piece.hides_last && !piece.logprobs.empty();
  for (const TokenLogprobs& token :
       std::span(piece.logprobs).first(piece.logprobs.size() - skips_last)) {
    Json entry = chat_token(token.chosen, tokenizer);
    Json& top = entry["top_logprobs"] = Json::array();
    for (const TokenLogprob& other : token.top) top.push_back(chat_token(other, tokenizer));
    content.push_back(std::move(entry));
  }
  return Json{{"content", std::move(content)}};
}

Json tool_calls(const Piece& piece, bool is_chunk) {
  Json out = Json::array();
  for (const Piece::Call& call : piece.calls) {
    Json& entry = out.emplace_back(Json::object());
    if (is_chunk) entry["index"] = call.index;
    entry["id"] = call.id;
    entry["type"] = "function";
    entry["function"] = Json{{"name", call.call.name}, {"arguments", call.call.arguments}};
  }
  return out;
}

Json chat_choice(const Piece& piece, const ChoiceContext& context, bool is_chunk) {
  Json message = Json::object();
  if (!is_chunk) message["role"] = "assistant";
  if (!piece.text.empty())
    message["content"] = piece.text;
  else if (!is_chunk)
    message["content"] = piece.calls.empty() ? Json("") : Json(nullptr);
  if (!piece.calls.empty()) message["tool_calls"] = tool_calls(piece, is_chunk);
  Json out{{"index", context.index},
           {is_chunk ? "delta" : "message", std::move(message)},
           {"logprobs", nullptr}};
  if (context.options.logprobs) out["logprobs"] = chat_logprobs(piece, context.answers.tokenizer());
  out["finish_reason"] = finish_reason(piece);
  add_extras(piece, context, is_chunk, &out);
  return out;
}

Json chat_opening(int32_t choice_index) {
  return Json{{"index", choice_index},
              {"delta", {{"role", "assistant"}, {"content", ""}}},
              {"logprobs", nullptr},
              {"finish_reason", nullptr}};
}

}  // namespace

const Format kCompletionFormat{"cmpl-", "text_completion", "text_completion", completion_choice,
                               nullptr};
const Format kChatFormat{"chatcmpl-", "chat.completion", "chat.completion.chunk", chat_choice,
                         chat_opening};

Json prompt_logprobs_json(const std::vector<TokenLogprobs>& logprobs, const Tokenizer* tokenizer) {
  Json out = Json::array();
  for (const TokenLogprobs& token : logprobs) {
    if (!token.chosen.logprob) {
      out.push_back(nullptr);
      continue;
    }
    Json entry = Json::object();
    const auto add = [&](const TokenLogprob& one) {
      entry.emplace(std::to_string(one.token_id),
                    Json{{"logprob", value_of(one)},
                         {"rank", one.rank},
                         {"decoded_token", sanitize_utf8(bytes_of(one.token_id, tokenizer))}});
    };
    add(token.chosen);
    for (const TokenLogprob& other : token.top) add(other);
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace tern::http
