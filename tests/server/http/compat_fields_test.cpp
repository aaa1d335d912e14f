// What clients of other servers send: nulls, neutral values, hints, and numbers in other spellings.
#include "server/http/compat_fields.h"

#include <catch2/catch.hpp>

#include "server/http/generate_request.h"

using namespace tern;
using namespace tern::http;

namespace {

constexpr Endpoint kEndpoints[] = {Endpoint::kCompletions, Endpoint::kChat};

// The body with these members besides what must be there.
std::string body_of(Endpoint endpoint, const std::string& members) {
  return (endpoint == Endpoint::kChat ? R"({"messages": [{"role": "user", "content": "hi"}])"
                                      : R"({"prompt": "x")") +
         (members.empty() ? "" : ", " + members) + "}";
}

struct Outcome {
  std::string error, field, message;  // empty: taken
  GenerateBody body;
  IgnoredFields ignored;
};

Outcome parse(Endpoint endpoint, const std::string& text, bool ignores_unknown = false) {
  CAPTURE(text);
  Outcome out;
  Json json;
  auto error = parse_body(text, &json);
  if (!error) {
    IgnoredFields* ignored = ignores_unknown ? &out.ignored : nullptr;
    error = endpoint == Endpoint::kChat ? parse_chat(json, ignored, &out.body)
                                        : parse_completion(json, ignored, &out.body);
  }
  if (error) out.error = error->reason, out.field = error->field, out.message = error->message;
  return out;
}

Outcome parse_with(Endpoint endpoint, const std::string& members) {
  return parse(endpoint, body_of(endpoint, members));
}

}  // namespace

TEST_CASE("values that ask for nothing are taken, others of the same fields refused",
          "[http][compat]") {
  struct Row {
    const char *field, *neutral, *other;
  };
  constexpr Row kBoth[] = {
      {"response_format", R"({"type": "text", "json_schema": null})", R"({"type": "json_object"})"},
      {"best_of", "1", "2"},
      {"length_penalty", "1.0", "0.9"},
      {"early_stopping", "false", "true"},
      {"use_beam_search", "false", "true"},
      {"repeat_penalty", "1.0", "1.1"},
      {"typical_p", "1.0", "0.5"},
      {"mirostat", "0", "2"},
      {"dry_multiplier", "0.0", "0.8"},
      {"n_predict", "-1", "5"},
      {"logits_processors", "[]", R"(["a"])"},
      {"truncation_side", R"("left")", R"("right")"},
      {"return_tokens_as_token_ids", "false", "true"},
      {"return_hidden_states", "false", "true"},
      {"include_reasoning", "true", "false"},
      {"kv_transfer_params", "{}", R"({"a": 1})"},
      {"lora", "[]", R"([{"id": 0, "scale": 1}])"},
      {"functions", "[]", R"([{"name": "f"}])"},
      {"function_call", R"("none")", R"({"name": "f"})"},
      {"verbosity", R"("medium")", R"("low")"},
      {"modalities", R"(["text"])", R"(["text", "audio"])"},
      {"grammar", R"("")", R"("root ::= \"a\"")"},
      {"timings_per_token", "false", "true"},
  };
  constexpr Row kChat[] = {{"echo", "false", "true"},
                           {"add_special_tokens", "false", "true"},
                           {"suffix", R"("")", R"("a")"}};
  constexpr Row kCompletions[] = {{"reasoning_effort", R"("none")", R"("low")"},
                                  {"suffix", R"("")", R"("a")"},
                                  {"tools", "[]", "[{}]"}};
  const auto check = [](Endpoint endpoint, const Row& row) {
    CAPTURE(row.field);
    const std::string name = "\"" + std::string(row.field) + "\": ";
    CHECK(parse_with(endpoint, name + row.neutral).error == "");
    CHECK(parse_with(endpoint, name + "null").error == "");
    const Outcome other = parse_with(endpoint, name + row.other);
    CHECK(other.error == "FEATURE_DISABLED");
    CHECK(other.field == row.field);
  };
  for (const Endpoint endpoint : kEndpoints)
    for (const Row& row : kBoth) check(endpoint, row);
  for (const Row& row : kChat) check(Endpoint::kChat, row);
  for (const Row& row : kCompletions) check(Endpoint::kCompletions, row);
  CHECK(parse_with(Endpoint::kChat, R"("length_penalty": 2)").message ==
        "length_penalty: this server does not have this feature (may be 1)");
  CHECK(parse_with(Endpoint::kChat, R"("best_of": 3, "n": 2)").message ==
        "best_of: all n answers are given, as they are (may be 1 or 2)");
}

TEST_CASE("hints are passed over", "[http][compat]") {
  for (const Endpoint endpoint : kEndpoints)
    CHECK(parse_with(endpoint, R"("user": "u", "safety_identifier": "s", "prompt_cache_key": "k",
          "prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "implicit"},
          "cache_prompt": true, "keep_alive": "5m", "id_slot": 3, "session_id": "a", "rid": "r",
          "metadata": {"a": "b"}, "store": true, "service_tier": "flex", "priority": 0,
          "repeat_last_n": 64, "dry_base": 1.75, "mirostat_tau": 5.0)")
              .error == "");
  CHECK(parse(Endpoint::kChat, R"({
      "messages": [{"role": "user", "id": "m1", "cache_control": {"type": "ephemeral"},
                    "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"},
                                 "prompt_cache_breakpoint": {"mode": "explicit"}}]}],
      "tools": [{"type": "function", "cache_control": {"type": "ephemeral"},
                 "function": {"name": "f", "strict": true}}]})")
            .error == "");
}

TEST_CASE("null is as good as no field at any depth", "[http][compat]") {
  for (const Endpoint endpoint : kEndpoints) {
    const Outcome plain = parse_with(endpoint, "");
    const Outcome nulls = parse_with(
        endpoint, R"("documents": null, "chat_template": null, "no_such_field": null, "n": null,
            "stream_options": null, "logit_bias": {"5": null}, "tools": null, "seed": null,
            "response_format": null, "priority": null, "tool_choice": null, "stop": null,
            "parallel_tool_calls": null, "reasoning_effort": null, "chat_template_kwargs": null,
            "add_special_tokens": null, "echo": null, "structured_outputs": null)");
    CHECK(nulls.message == "");
    CHECK(nulls.body.requests[0].SerializeAsString() == plain.body.requests[0].SerializeAsString());
    const Outcome lists = parse_with(
        endpoint, R"("stop": ["x", null], "stop_token_ids": [null, 3], "bad_words": [null],
            "logit_bias": {"5": null, "6": 1, "x": null}, "logits_processors": [null])");
    CHECK(lists.message == "");
    const Outcome without =
        parse_with(endpoint, R"("stop": ["x"], "stop_token_ids": [3], "logit_bias": {"6": 1})");
    CHECK(lists.body.requests[0].SerializeAsString() ==
          without.body.requests[0].SerializeAsString());
    CHECK(parse_with(endpoint, R"("stop": [null, 1])").field == "stop[1]");
    CHECK(parse_with(endpoint, R"("stream": true, "stream_options": {"include_usage": null,
                                "continuous_usage_stats": null, "other": null})")
              .error == "");
    CHECK(parse_with(endpoint, R"("stream_options": {"include_usage": false})").error == "");
  }
  CHECK(parse(Endpoint::kChat, R"({
      "messages": [{"role": "user", "name": null, "colour": null,
                    "content": [{"type": "text", "text": "a", "image_url": null}]},
                   {"role": "assistant", "content": null, "tool_calls": null}],
      "tools": [{"type": "function", "custom": null,
                 "function": {"name": "f", "parameters": null, "description": null, "strict": null,
                              "returns": null}}]})")
            .message == "");
  // What the prompt is made of is no list of options.
  const Outcome message =
      parse(Endpoint::kChat, R"({"messages": [{"role": "user", "content": "a"}, null]})");
  CHECK(message.field == "messages[1]");
  CHECK(message.message.ends_with("must be an object, is null"));
  const Outcome tool = parse_with(Endpoint::kChat, R"("tools": [null])");
  CHECK(tool.field == "tools[0]");
  CHECK(tool.message.ends_with("must be an object, is null"));
  CHECK(parse(Endpoint::kCompletions, R"({"prompt": ["a", null]})").field == "prompt[1]");
}

// This is what model_dump() of openai-python 3.57 writes of what stream() and parse() give.
TEST_CASE("an answer goes back as openai-python writes it", "[http][compat]") {
  const Outcome out = parse(Endpoint::kChat, R"({"messages": [
      {"role": "user", "content": "weather?"},
      {"content": null, "refusal": null, "role": "assistant", "annotations": [], "audio": null,
       "function_call": null, "parsed": {"city": "Oslo"}, "provider_specific_fields": {"refusal": null},
       "tool_calls": [{"id": "c1", "index": 0, "type": "function",
                       "function": {"arguments": "{\"q\": 1}", "name": "f",
                                    "parsed_arguments": {"q": 1}}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "sunny"}]})");
  REQUIRE(out.message == "");
  const v1::ChatMessage& answer = out.body.requests[0].chat().messages(1);
  CHECK(answer.tool_calls(0).name() == "f");
  CHECK(answer.tool_calls(0).arguments_json() == "{\"q\": 1}");
}

TEST_CASE("whole numbers however they are written", "[http][compat]") {
  for (const Endpoint endpoint : kEndpoints) {
    const Outcome out = parse_with(
        endpoint, R"("max_tokens": 4.0, "n": 2e0, "seed": 7.0, "top_k": -1.0, "min_tokens": 0.0,
                     "stop_token_ids": [3.0], "truncate_prompt_tokens": 1e2)");
    REQUIRE(out.message == "");
    const v1::GenerateRequest& request = out.body.requests[0];
    CHECK(request.sampling().stopping().max_tokens() == 4);
    CHECK(request.sampling().n() == 2);
    CHECK(request.sampling().random().seed() == 7);
    CHECK(request.sampling().random().top_k() == 0);
    CHECK(request.sampling().stopping().stop_token_ids(0) == 3);
    CHECK(request.truncate_prompt_tokens() == 100);
    CHECK(parse_with(endpoint, R"("truncate_prompt_tokens": -1)")
              .body.requests[0]
              .truncate_prompt_tokens() == INT32_MAX);
    for (const char* member : {R"("max_tokens": 4.5)", R"("max_tokens": 1e300)",
                               R"("max_tokens": 99999999999999999999999)", R"("max_tokens": "4")",
                               R"("max_tokens": -1e300)", R"("max_tokens": true)"}) {
      CHECK(parse_with(endpoint, member).field == "max_tokens");
    }
    CHECK(parse_with(endpoint, R"("max_tokens": 4.5)").message ==
          "max_tokens: must be a whole number, is number 4.5");
    CHECK(parse_with(endpoint, R"("temperature": 1e300)").message ==
          "temperature: must be a number that a float can hold, is 1e+300");
    CHECK(parse_with(endpoint, R"("stop_token_ids": [4.5])").field == "stop_token_ids[0]");
    CHECK(parse_with(endpoint, R"("stop_token_ids": [4294967296.0])").field == "stop_token_ids[0]");
    CHECK(parse_with(endpoint, R"("max_tokens": 1e400)").error == "MALFORMED_JSON");
    CHECK(parse_with(endpoint, R"("logit_bias": {"3": -1e300})")
              .body.requests[0]
              .sampling()
              .penalties()
              .logit_bias()
              .at(3) < -1e38f);
  }
  const Outcome ids = parse(Endpoint::kCompletions, R"({"prompt": [1.0, 2]})");
  CHECK(ids.body.requests[0].token_ids().ids(0) == 1);
  CHECK(parse(Endpoint::kCompletions, R"({"prompt": [1, 4.5]})").message ==
        "prompt[1]: must be a token id, is 4.5");
}

TEST_CASE("unknown fields are noted at any depth, where they may be passed over",
          "[http][compat]") {
  const std::string text = R"({
      "messages": [{"role": "user", "a": 1, "content": [{"type": "text", "text": "x", "b": 1}]},
                   {"role": "assistant", "tool_calls": [{"c": 1, "function": {"name": "f", "d": 1}}]}],
      "tools": [{"e": 1, "type": "function", "function": {"name": "f", "f": 1}}],
      "stream": true, "stream_options": {"g": 1}, "h": 1, "i": null})";
  const Outcome out = parse(Endpoint::kChat, text, true);
  CHECK(out.message == "");
  IgnoredFields ignored = out.ignored;
  std::sort(ignored.begin(), ignored.end());
  CHECK(ignored == IgnoredFields{"h", "messages[0].a", "messages[0].content[0].b",
                                 "messages[1].tool_calls[0].c",
                                 "messages[1].tool_calls[0].function.d", "stream_options.g",
                                 "tools[0].e", "tools[0].function.f"});
  CHECK(parse(Endpoint::kChat, text).error == "UNKNOWN_FIELD");
}

TEST_CASE("names in a header cannot break out of it", "[http][compat]") {
  CHECK(to_header({}) == "");
  CHECK(to_header({"a", "b.c[0]"}) == "a, b.c[0]");
  CHECK(to_header({"a\r\nX: 1", "b,c d", "\xc3\xa9\x7f"}) == "a??X:?1, b?c?d, ???");
  CHECK(to_header({std::string(500, 'x')}) == std::string(64, 'x'));
  const std::string many = to_header(IgnoredFields(10'000, "name"));
  CHECK(many.size() < 1100);
  CHECK(many.ends_with(" more"));
}
