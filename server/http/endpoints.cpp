#include "server/http/endpoints.h"

#include "server/http/compat_fields.h"
#include "server/http/error.h"
#include "server/http/generate_request.h"

namespace tern::http {
namespace {

using Error = std::optional<ApiError>;

Json model_json(const Engine& engine, int64_t created) {
  const ModelInfo& info = engine.model_info();
  return Json{{"id", info.name},
              {"object", "model"},
              {"created", created},
              {"owned_by", "tern"},
              {"max_model_len", info.max_model_len}};
}

// A draining server still answers these.
template <class Work>
Response respond(const ServingState& state, Work&& work) {
  Json out;
  Error error = state.check_loaded();
  if (!error) error = work(*state.engine(), &out);
  return error ? error_response(with_json_names(*std::move(error))) : Response{.body = dump(out)};
}

Error need_tokenizer(const Engine& engine) {
  if (engine.tokenizer()) return {};
  return ApiError{.code = Code::kFailedPrecondition,
                  .reason = "FEATURE_DISABLED",
                  .message = "the model has no tokenizer"};
}

// A prompt, or a chat through the model's template.
Error encode(Fields& fields, const Engine& engine, const RequestLimits& limits, bool* want_pieces,
             std::vector<int32_t>* ids) {
  const std::string model = fields.string("model").value_or("");
  *want_pieces = fields.boolean("return_token_strs").value_or(false);
  ignore_hints(fields);
  v1::TextOptions options;
  if (const auto v = fields.boolean("add_special_tokens")) options.set_add_special_tokens(*v);
  const auto prompt = fields.string("prompt");
  v1::ChatInput chat;
  bool wants_tools = false;
  if (prompt) {
    if (fields.has("messages")) fields.fail("messages", "does not go with prompt");
  } else if (fields.has("messages")) {
    read_chat(fields, &chat, &wants_tools);
    fields.ignore({"parallel_tool_calls"});
    if (options.has_add_special_tokens() && options.add_special_tokens())
      fields.fail("add_special_tokens", "the chat template writes them");
  } else {
    fields.fail("prompt", "missing: send prompt or messages");
  }
  if (auto error = fields.finish()) return error;
  if (auto error = check_model(model, engine)) return error;
  if (auto error = need_tokenizer(engine)) return error;
  if (prompt) return encode_text(*prompt, options, engine, limits, ids);
  std::string text;
  if (auto error = render_chat(chat, engine, &text)) return error;
  return encode_rendered(text, engine, limits, ids);
}

}  // namespace

Response list_models(const ServingState& state, int64_t created) {
  return respond(state, [&](const Engine& engine, Json* out) {
    *out = Json{{"object", "list"}, {"data", Json::array({model_json(engine, created)})}};
    return Error();
  });
}

Response get_model(const ServingState& state, const std::string& id, int64_t created) {
  return respond(state, [&](const Engine& engine, Json* out) {
    *out = model_json(engine, created);
    return check_model(id, engine);
  });
}

Response tokenize(const Request& request, const ServingState& state, IgnoredFields* ignored) {
  return respond(state, [&](const Engine& engine, Json* out) -> Error {
    Json body;
    bool want_pieces = false;
    std::vector<int32_t> ids;
    if (auto error = parse_body(request.body, &body)) return error;
    Fields fields(body, ignored);
    if (auto error = encode(fields, engine, state.limits, &want_pieces, &ids)) return error;
    *out = Json{{"count", ids.size()},
                {"max_model_len", engine.model_info().max_model_len},
                {"tokens", ids},
                {"token_strs", nullptr}};
    if (!want_pieces) return {};
    Json& pieces = (*out)["token_strs"] = Json::array();
    for (const int32_t id : ids) pieces.push_back(std::string(engine.tokenizer()->token_piece(id)));
    return {};
  });
}

Response detokenize(const Request& request, const ServingState& state, IgnoredFields* ignored) {
  return respond(state, [&](const Engine& engine, Json* out) -> Error {
    Json body;
    if (auto error = parse_body(request.body, &body)) return error;
    Fields fields(body, ignored);
    const std::string model = fields.string("model").value_or("");
    const bool skip_special = fields.boolean("skip_special_tokens").value_or(true);
    ignore_hints(fields);
    if (!fields.has("tokens")) fields.fail("tokens", "missing");
    const std::vector<uint32_t> tokens = fields.ids("tokens");
    if (auto error = fields.finish()) return error;
    if (auto error = check_model(model, engine)) return error;
    if (auto error = need_tokenizer(engine)) return error;
    std::vector<int32_t> ids;
    if (auto error = to_token_ids({tokens.begin(), tokens.end()}, "tokens",
                                  engine.tokenizer()->vocab_size(), &ids))
      return error;
    *out = Json{{"prompt", engine.tokenizer()->decode(ids, skip_special)}};
    return {};
  });
}

Response health(const ServingState& state) {
  v1::ServerInfo info;
  state.describe(&info);
  Json out{{"status", "serving"}};
  if (info.state() == v1::SERVER_STATE_LOADING) {
    out = {{"status", "loading"},
           {"stage", info.load_stage()},
           {"fraction", info.load_fraction()},
           {"reason", "LOADING"}};
  } else if (info.state() == v1::SERVER_STATE_DRAINING) {
    out = {{"status", "draining"}, {"reason", "DRAINING"}};
  } else if (state.stuck()) {
    out["status"] = "stuck";  // the engine has work and does not move
  }
  const bool healthy = out["status"] == "serving";
  return {.status = healthy ? 200 : http_status(Code::kUnavailable), .body = dump(out)};
}

Response live() {
  return {.body = dump(Json{{"status", "alive"}})};
}

Response version() {
  return {.body = dump(Json{{"version", TERN_VERSION}})};
}

}  // namespace tern::http
