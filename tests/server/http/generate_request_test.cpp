// Bodies of the OpenAI API to requests of tern.v1.
#include "server/http/generate_request.h"

#include <catch2/catch.hpp>
#include <random>

using namespace tern;
using namespace tern::http;

namespace {

using Parse = std::optional<ApiError>(const Json&, IgnoredFields*, GenerateBody*);

GenerateBody parsed(Parse& parse, const std::string& text) {
  CAPTURE(text);
  Json json;
  REQUIRE_FALSE(parse_body(text, &json));
  GenerateBody body;
  const auto error = parse(json, nullptr, &body);
  CHECK((error ? error->message : "") == "");
  return body;
}

ApiError refused(Parse& parse, const std::string& text) {
  CAPTURE(text);
  Json json;
  REQUIRE_FALSE(parse_body(text, &json));
  GenerateBody body;
  const auto error = parse(json, nullptr, &body);
  REQUIRE(error);
  return *error;
}

const std::string kHi = R"("messages": [{"role": "user", "content": "hi"}])";

std::string completion_with(const std::string& member) {
  return R"({"prompt": "x", )" + member + "}";
}
std::string chat_with(const std::string& member) {
  return "{" + kHi + ", " + member + "}";
}

}  // namespace

TEST_CASE("every sampling field arrives", "[http]") {
  const GenerateBody body = parsed(parse_completion, R"({
    "model": "m", "prompt": "x", "max_tokens": 7, "temperature": 1, "top_p": 0.5, "top_k": 3,
    "min_p": 0.25, "seed": 11, "n": 2, "presence_penalty": 1, "frequency_penalty": -1,
    "repetition_penalty": 1.5, "logit_bias": {"5": -100, "6": 2}, "stop": ["a", "b"],
    "stop_token_ids": [3], "min_tokens": 1, "ignore_eos": true, "include_stop_str_in_output": true,
    "skip_special_tokens": false, "bad_words": ["bad"], "allowed_token_ids": [1, 2],
    "truncate_prompt_tokens": 9, "priority": "bulk", "request_id": "r1", "add_special_tokens": false,
    "expected_output_tokens": 40, "user": "u", "metadata": {"a": 1}, "store": false, "best_of": 2, "suffix": null})");
  REQUIRE(body.requests.size() == 1);
  const v1::GenerateRequest& r = body.requests[0];
  CHECK(r.model() == "m");
  CHECK(r.text() == "x");
  CHECK(r.request_id() == "r1");
  CHECK(r.text_options().has_add_special_tokens());
  CHECK_FALSE(r.text_options().add_special_tokens());
  CHECK(r.truncate_prompt_tokens() == 9);
  CHECK(r.scheduling().priority() == v1::PRIORITY_CLASS_BULK);
  CHECK(r.scheduling().expected_output_tokens() == 40);
  CHECK_FALSE(r.response().skip_special_tokens());
  CHECK(r.sampling().n() == 2);
  const v1::RandomSampling& random = r.sampling().random();
  CHECK(random.temperature() == 1);
  CHECK(random.top_p() == 0.5f);
  CHECK(random.top_k() == 3);
  CHECK(random.min_p() == 0.25f);
  CHECK(random.seed() == 11);
  const v1::Penalties& penalties = r.sampling().penalties();
  CHECK(penalties.presence_penalty() == 1);
  CHECK(penalties.frequency_penalty() == -1);
  CHECK(penalties.repetition_penalty() == 1.5f);
  CHECK(penalties.logit_bias().at(5) == -100);
  CHECK(penalties.logit_bias().at(6) == 2);
  const v1::Stopping& stopping = r.sampling().stopping();
  CHECK(stopping.max_tokens() == 7);
  CHECK(stopping.min_tokens() == 1);
  CHECK(stopping.stop_size() == 2);
  CHECK(stopping.stop_token_ids(0) == 3);
  CHECK(stopping.ignore_eos());
  CHECK(stopping.include_stop_str_in_output());
  CHECK(r.sampling().constraints().bad_words(0) == "bad");
  CHECK(r.sampling().constraints().allowed_token_ids_size() == 2);
  CHECK_FALSE(r.has_response() == false);
  CHECK_FALSE(r.response().has_logprobs());
}

TEST_CASE("unset and null fields stay unset", "[http]") {
  for (const char* text :
       {R"({"prompt": "x"})",
        R"({"prompt": "x", "temperature": null, "max_tokens": null, "n": null, "stop": null,
            "logprobs": null, "logit_bias": null, "stream": null, "response_format": null})"}) {
    const v1::GenerateRequest r = parsed(parse_completion, text).requests.at(0);
    CHECK_FALSE(r.sampling().random().has_temperature());
    CHECK_FALSE(r.sampling().random().has_seed());
    CHECK_FALSE(r.sampling().stopping().has_max_tokens());
    CHECK_FALSE(r.sampling().has_n());
    CHECK_FALSE(r.response().has_logprobs());
    CHECK(r.request_id().empty());
  }
  const v1::GenerateRequest off =
      parsed(parse_completion, completion_with(R"("top_k": -1, "seed": -1)")).requests.at(0);
  CHECK(off.sampling().random().top_k() == 0);
  CHECK_FALSE(off.sampling().random().has_seed());
}

TEST_CASE("prompts are text, ids, or several of them", "[http]") {
  const auto prompts = [](const std::string& prompt) {
    return parsed(parse_completion, "{\"prompt\": " + prompt + "}").requests;
  };
  CHECK(prompts(R"("")")[0].has_text());
  CHECK(prompts("[1, 2]")[0].token_ids().ids_size() == 2);
  CHECK(prompts("[]")[0].has_token_ids());  // refused later, as empty
  const auto texts = prompts(R"(["a", "b"])");
  REQUIRE(texts.size() == 2);
  CHECK(texts[1].text() == "b");
  const auto ids = prompts("[[1], [2, 3]]");
  REQUIRE(ids.size() == 2);
  CHECK(ids[1].token_ids().ids(1) == 3);
  CHECK(refused(parse_completion, R"({"prompt": [1, "a"]})").field == "prompt[1]");
  CHECK(refused(parse_completion, R"({"prompt": [[1], [-2]]})").field == "prompt[1][0]");
  CHECK(refused(parse_completion, R"({"prompt": ["a", 1]})").field == "prompt[1]");
  CHECK(refused(parse_completion, R"({"prompt": {"a": 1}})").field == "prompt");
  CHECK(refused(parse_completion, R"({})").field == "prompt");
  std::string many = "\"a\"";
  for (int i = 0; i < 128; ++i) many += ", \"a\"";
  CHECK(refused(parse_completion, "{\"prompt\": [" + many + "]}").message ==
        "prompt: 129 prompts, at most 128");
}

TEST_CASE("logprobs and echo of completions", "[http]") {
  GenerateBody body = parsed(parse_completion, completion_with(R"("logprobs": 3, "echo": true)"));
  CHECK(body.requests[0].response().logprobs() == 3);
  CHECK(body.requests[0].response().prompt_logprobs() == 3);
  CHECK(body.requests[0].response().echo_prompt_token_ids());
  CHECK(body.options.logprobs);
  CHECK_FALSE(body.options.prompt_logprobs);
  CHECK_FALSE(body.options.prompt_only);
  body = parsed(parse_completion, completion_with(R"("echo": true, "max_tokens": 0)"));
  CHECK(body.options.prompt_only);
  CHECK(body.requests[0].sampling().stopping().max_tokens() == 1);
  body = parsed(parse_completion, completion_with(R"("max_tokens": 0)"));  // refused by to_call
  CHECK(body.requests[0].sampling().stopping().max_tokens() == 0);
}

TEST_CASE("chat messages, parts, tools and their calls", "[http]") {
  const GenerateBody body = parsed(parse_chat, R"({
    "messages": [
      {"role": "developer", "content": [{"type": "text", "text": "be"}, {"type": "text", "text": "kind"}]},
      {"role": "user", "content": "weather?", "name": "ann"},
      {"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null,
       "tool_calls": [{"id": "c1", "type": "function",
                       "function": {"name": "f", "arguments": "{\"z\": 1, \"a\": 2}"}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "sunny"}],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "strict": false,
               "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}}}],
    "tool_choice": "auto", "parallel_tool_calls": true, "max_tokens": 3, "max_completion_tokens": 5,
    "logprobs": true, "top_logprobs": 2, "chat_template_kwargs": {"enable_thinking": false},
    "response_format": {"type": "text"}, "stream": true, "stream_options": {"include_usage": true}})");
  const v1::GenerateRequest& r = body.requests.at(0);
  const v1::ChatInput& chat = r.chat();
  REQUIRE(chat.messages_size() == 4);
  CHECK(chat.messages(0).role() == "system");
  REQUIRE(chat.messages(0).content_parts_size() == 2);
  CHECK(chat.messages(0).content_parts(1).text() == "kind");
  CHECK(chat.messages(1).name() == "ann");
  CHECK(chat.messages(2).content().empty());
  CHECK(chat.messages(2).tool_calls(0).id() == "c1");
  CHECK(chat.messages(2).tool_calls(0).arguments_json() == "{\"z\": 1, \"a\": 2}");
  CHECK(chat.messages(3).tool_call_id() == "c1");
  REQUIRE(chat.tools_size() == 1);
  CHECK(chat.tools(0).parameters_json() == R"({"type":"object","properties":{"z":{},"a":{}}})");
  CHECK(chat.template_variables_json() ==
        R"({"enable_thinking":false,"tools":[{"type":"function","function":{"name":"f",)"
        R"("description":"d","strict":false,"parameters":{"type":"object","properties":)"
        R"({"z":{},"a":{}}}}}]})");
  CHECK(r.sampling().stopping().max_tokens() == 5);
  CHECK(r.response().logprobs() == 2);
  CHECK(body.options.parse_tool_calls);
  REQUIRE(r.response().shown_special_tokens_size() == 2);
  CHECK(r.response().shown_special_tokens(0) == "<tool_call>");
  CHECK(body.options.stream);
  CHECK(body.options.include_usage);

  const std::string tool = R"("tools": [{"type": "function", "function": {"name": "f"}}])";
  const GenerateBody none = parsed(parse_chat, chat_with(tool + R"(, "tool_choice": "none")"));
  CHECK_FALSE(none.options.parse_tool_calls);
  CHECK(none.requests[0].response().shown_special_tokens().empty());
  CHECK(none.requests[0].chat().tools_size() == 0);
  CHECK_FALSE(parsed(parse_chat, chat_with(R"("temperature": 0)")).options.parse_tool_calls);
}

TEST_CASE("what the template sees besides the messages", "[http]") {
  const v1::ChatInput chat =
      parsed(parse_chat, chat_with(R"("documents": [{"z": 1, "a": "x"}], "chat_template_kwargs":
             {"n": 12345678901234567, "b": null}, "continue_final_message": true)"))
          .requests[0]
          .chat();
  CHECK(chat.template_variables_json() ==
        R"({"documents":[{"z":1,"a":"x"}],"n":12345678901234567,"b":null})");
  CHECK(chat.continue_final_message());
  const v1::ChatInput none =
      parsed(parse_chat, chat_with(R"("documents": null, "chat_template_kwargs": null,
             "continue_final_message": null)"))
          .requests[0]
          .chat();
  CHECK(none.template_variables_json().empty());
  CHECK_FALSE(none.continue_final_message());
}

TEST_CASE("wrong types name the field", "[http]") {
  const std::pair<const char*, const char*> kWrong[] = {
      {R"("temperature": "hot")", "temperature"},
      {R"("max_tokens": 1.5)", "max_tokens"},
      {R"("max_tokens": true)", "max_tokens"},
      {R"("max_tokens": -1)", "max_tokens"},
      {R"("max_tokens": 99999999999)", "max_tokens"},
      {R"("seed": 18446744073709551615)", "seed"},
      {R"("seed": "1")", "seed"},
      {R"("n": [1])", "n"},
      {R"("stop": [1])", "stop[0]"},
      {R"("stop": 1)", "stop"},
      {R"("stream": "yes")", "stream"},
      {R"("logit_bias": {"x": 1})", "logit_bias"},
      {R"("logit_bias": {"-1": 1})", "logit_bias"},
      {R"("logit_bias": {"1": "a"})", "logit_bias[1]"},
      {R"("logit_bias": [1])", "logit_bias"},
      {R"("stop_token_ids": [-1])", "stop_token_ids[0]"},
      {R"("stream_options": {"include_usage": true})", "stream_options"},
      {R"("stream": true, "stream_options": {"other": true})", "stream_options.other"},
      {R"("stream": true, "prompt_logprobs": 1)", "prompt_logprobs"},
      {R"("priority": 3)", "priority"},
      {R"("expected_output_tokens": -1)", "expected_output_tokens"},
      {R"("expected_output_tokens": "few")", "expected_output_tokens"},
      {R"("priority": "first")", "priority"},
      {R"("model": 3)", "model"},
      {R"("no_such_field": 1)", "no_such_field"},
  };
  for (const auto& [member, field] : kWrong) {
    CHECK(refused(parse_completion, completion_with(member)).field == field);
    CHECK(refused(parse_chat, chat_with(member)).field == field);
    CHECK(refused(parse_chat, chat_with(member)).code == Code::kInvalidArgument);
  }
  CHECK(refused(parse_completion, completion_with(R"("max_tokens": -1)")).message ==
        "max_tokens: must be in [0, 2147483647], is -1");
  CHECK(refused(parse_completion, completion_with(R"("no_such_field": 1)")).reason ==
        "UNKNOWN_FIELD");
}

TEST_CASE("what asks for a missing feature is refused, what does not is taken", "[http]") {
  for (const char* member :
       {R"("response_format": {"type": "json_object"})", R"("guided_json": {})",
        R"("use_beam_search": true)", R"("functions": [{}])", R"("cache_salt": "a")"}) {
    const ApiError error = refused(parse_chat, chat_with(member));
    CHECK(error.reason == "FEATURE_DISABLED");
    CHECK(error.code == Code::kFailedPrecondition);
    CHECK(std::string(member).find(error.field) == 1);
  }
  for (const char* member : {R"("suffix": "x")", R"("best_of": 3)"})
    CHECK(refused(parse_completion, completion_with(member)).reason == "FEATURE_DISABLED");
  for (const char* member : {R"("tool_choice": "required")",
                             R"("tool_choice": {"type": "function", "function": {"name": "f"}})"})
    CHECK(refused(parse_chat, chat_with(member)).reason == "FEATURE_DISABLED");
  parsed(parse_completion,
         completion_with(R"("suffix": "", "best_of": 1, "service_tier": "auto")"));
  parsed(parse_chat, chat_with(R"("modalities": ["text"], "use_beam_search": false)"));
}

TEST_CASE("wrong messages and tools name their place", "[http]") {
  const auto field = [](const std::string& members) {
    return refused(parse_chat, "{" + members + "}").field;
  };
  CHECK(field("") == "messages");
  CHECK(field(R"("messages": "hi")") == "messages");
  CHECK(field(R"("messages": ["hi"])") == "messages[0]");
  CHECK(field(R"("messages": [{"role": 1}])") == "messages[0].role");
  CHECK(field(R"("messages": [{"role": "user", "content": 1}])") == "messages[0].content");
  CHECK(field(R"("messages": [{"role": "user", "content": [{"type": "image_url"}]}])") ==
        "messages[0].content[0].type");
  CHECK(field(R"("messages": [{"role": "user", "function_call": {"name": "f"}}])") ==
        "messages[0].function_call");
  CHECK(field(R"("messages": [{"role": "user", "colour": 1}])") == "messages[0].colour");
  CHECK(
      field(R"("messages": [{"role": "assistant", "tool_calls": [{"function": {"name": 1}}]}])") ==
      "messages[0].tool_calls[0].function.name");
  CHECK(field(kHi + R"(, "tools": [{"type": "retrieval"}])") == "tools[0].type");
  CHECK(field(kHi + R"(, "tools": [{"type": "function"}])") == "tools[0].function");
  CHECK(field(kHi + R"(, "tools": {})") == "tools");
  CHECK(field(kHi + R"(, "tool_choice": "maybe")") == "tool_choice");
  CHECK(field(kHi + R"(, "top_logprobs": 2)") == "top_logprobs");
  CHECK(field(kHi + R"(, "logprobs": true, "top_logprobs": 21)") == "top_logprobs");
  CHECK(field(kHi + R"(, "max_tokens": 0)") == "max_tokens");
  CHECK(field(kHi + R"(, "max_completion_tokens": 0)") == "max_completion_tokens");
  CHECK(field(kHi + R"(, "chat_template_kwargs": 3)") == "chat_template_kwargs");
  CHECK(field(kHi + R"(, "documents": {})") == "documents");
  CHECK(field(kHi + R"(, "continue_final_message": "content")") == "continue_final_message");
}

TEST_CASE("a body that is no JSON names the byte", "[http]") {
  Json json;
  const auto message = [&](const std::string& text) {
    const auto error = parse_body(text, &json);
    REQUIRE(error);
    CHECK(error->code == Code::kInvalidArgument);
    CHECK(error->reason == "MALFORMED_JSON");
    return error->message;
  };
  CHECK(message("{\"a\": }").find("byte 7:") != std::string::npos);
  CHECK(message("").find("byte 1:") != std::string::npos);
  CHECK(message("{\"a\": \"\xff\"}").find("byte 8:") != std::string::npos);
  CHECK(message("[1]").find("must be an object, is array") != std::string::npos);
  CHECK(message("{\"a\": 1e999}") ==
        "the body holds a number that a double cannot hold: number overflow parsing '1e999'");
  CHECK(message("{\"a\": NaN}").find("byte 7:") != std::string::npos);
  CHECK(message("{\"a\":" + std::string(1'000'000, '[')).find("nested deeper than 100") !=
        std::string::npos);
}

TEST_CASE("bodies with bytes changed at random are taken or refused, never worse", "[http]") {
  const std::string kSeeds[] = {
      R"({"prompt":["a",[1,2]],"max_tokens":3,"logit_bias":{"5":-1},"stop":["x"],"stream":true,)"
      R"("stream_options":{"include_usage":true},"logprobs":2,"echo":true,"n":2,"seed":-7})",
      R"({"messages":[{"role":"user","content":[{"type":"text","text":"é"}]},{"role":"assistant",)"
      R"("content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f",)"
      R"("arguments":"{}"}}]}],"tools":[{"type":"function","function":{"name":"f","parameters":)"
      R"({"a":[1e3]}}}],"tool_choice":"auto","chat_template_kwargs":{"x":null},"top_logprobs":1})"};
  std::mt19937 random(1);
  int num_taken = 0, num_refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = kSeeds[i % 2];
    for (int change = 0; change <= i % 4; ++change) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 5);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
          break;
        default:
          text[at] = R"({}[],:"0-.eEtfn\)"[random() % 16];
      }
      if (text.empty()) text = "{";
    }
    for (Parse* parse : {parse_completion, parse_chat}) {
      Json json;
      GenerateBody body;
      std::optional<ApiError> error = parse_body(text, &json);
      if (!error) error = parse(json, nullptr, &body);
      ++(error ? num_refused : num_taken);
      if (error && (error->message.empty() || error->reason.empty())) FAIL(text);
      if (!error && body.requests.empty()) FAIL(text);
    }
  }
  CHECK(num_taken > 100);
  CHECK(num_refused > 1000);
}
