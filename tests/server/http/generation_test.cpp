// Answers in OpenAI's shapes: what a stream adds up to is the unary answer.
#include <catch2/catch.hpp>
#include <map>

#include "tests/server/http/http_wire.h"

using namespace tern;

namespace {

Json unary(const HttpWire& wire, const std::string& path, Json body) {
  body["stream"] = false;
  const httplib::Response response = wire.post(path, body.dump());
  CAPTURE(response.body);
  REQUIRE(response.status == 200);
  return Json::parse(response.body);
}

// The chunks of a stream, without the [DONE] that must end it.
std::vector<Json> chunks(const HttpWire& wire, const std::string& path, Json body) {
  body["stream"] = true;
  std::vector<std::string> events = wire.stream(path, body.dump());
  REQUIRE_FALSE(events.empty());
  CHECK(events.back() == "[DONE]");
  events.pop_back();
  std::vector<Json> out;
  for (const std::string& event : events) out.push_back(Json::parse(event));
  return out;
}

void append(const Json& from, Json* to) {
  if (to->is_null()) *to = Json::array();
  for (const Json& item : from) to->push_back(item);
}

// Adds the members of a completion's logprobs.
void add_logprobs(const Json& from, Json* to) {
  if (from.is_null()) return;
  for (const auto& [name, values] : from.items()) append(values, &(*to)[name]);
}

// One choice, put together of its chunks, in the shape of a unary one.
Json joined_completion(const std::vector<Json>& all, int index) {
  Json out{{"index", index}, {"text", ""}, {"logprobs", nullptr}};
  for (const Json& chunk : all) {
    for (const Json& choice : chunk["choices"]) {
      if (choice["index"] != index) continue;
      CHECK_FALSE(out.contains("finish_reason"));  // nothing after the end
      out["text"] = out["text"].get<std::string>() + choice["text"].get<std::string>();
      add_logprobs(choice["logprobs"], &out["logprobs"]);
      if (choice["finish_reason"].is_null()) continue;
      out["finish_reason"] = choice["finish_reason"];
      out["stop_reason"] = choice["stop_reason"];
    }
  }
  return out;
}

Json joined_chat(const std::vector<Json>& all, int index) {
  Json message = Json::object(), logprobs, calls = Json::array(), out;
  std::string content;
  for (const Json& chunk : all) {
    for (const Json& choice : chunk["choices"]) {
      if (choice["index"] != index) continue;
      const Json& delta = choice["delta"];
      if (delta.contains("role")) {
        CHECK(message.empty());  // once, and first
        message["role"] = delta["role"];
      }
      REQUIRE(message.contains("role"));
      content += delta.value("content", "");
      for (const Json& call : delta.value("tool_calls", Json::array())) {
        CHECK(call["index"] == calls.size());
        calls.push_back({{"type", call["type"]}, {"function", call["function"]}});
        CHECK(call["id"].get<std::string>().starts_with("call_"));
      }
      if (!choice["logprobs"].is_null())
        append(choice["logprobs"]["content"], &logprobs["content"]);
      if (!choice["finish_reason"].is_null()) out = choice["finish_reason"];
    }
  }
  message["content"] = content.empty() && !calls.empty() ? Json(nullptr) : Json(content);
  if (!calls.empty()) message["tool_calls"] = calls;
  return Json{
      {"index", index}, {"message", message}, {"logprobs", logprobs}, {"finish_reason", out}};
}

// Ids of calls are minted anew each time.
Json without_ids(Json choice) {
  choice.erase("stop_reason");
  Json& message = choice["message"];
  if (message.contains("tool_calls"))
    for (Json& call : message["tool_calls"]) call.erase("id");
  return choice;
}

const Json kTools = Json::parse(
    R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])");

}  // namespace

TEST_CASE("a completion", "[http]") {
  HttpWire wire;
  const Json out = unary(wire, "/v1/completions", {{"prompt", "hi"}, {"max_tokens", 4}});
  CHECK(out["object"] == "text_completion");
  CHECK(out["model"] == "fake");
  CHECK(out["choices"] == Json::parse(R"([{"index": 0, "text": "t0 t1 t2 t3 ", "logprobs": null,
                                           "finish_reason": "length", "stop_reason": null}])"));
  CHECK(out["usage"] == Json::parse(R"({"prompt_tokens": 3, "completion_tokens": 4,
         "total_tokens": 7, "prompt_tokens_details": {"cached_tokens": 3}})"));
}

TEST_CASE("a streamed completion adds up to the unary one", "[http]") {
  HttpWire wire;
  const Json body{{"prompt", {"ab", "c"}}, {"n", 3},    {"max_tokens", 20},
                  {"logprobs", 2},         {"seed", 1}, {"temperature", 1}};
  for (const bool echo : {false, true}) {
    Json wanted = body;
    wanted["echo"] = echo;
    const Json whole = unary(wire, "/v1/completions", wanted);
    wanted["stream_options"] = {{"include_usage", true}};
    const std::vector<Json> parts = chunks(wire, "/v1/completions", [&] {
      wanted["stream"] = true;
      return wanted;
    }());
    REQUIRE(whole["choices"].size() == 6);
    for (int i = 0; i < 6; ++i) CHECK(joined_completion(parts, i) == whole["choices"][i]);
    CHECK(whole["choices"][5]["text"].get<std::string>().starts_with(echo ? "ct0 t1 " : "t0 t1 "));
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      CHECK(parts[i]["usage"].is_null());
      CHECK(parts[i]["id"] == parts[0]["id"]);
      CHECK(parts[i]["object"] == "text_completion");
    }
    CHECK(parts.back()["choices"].empty());
    CHECK(parts.back()["usage"] == whole["usage"]);
    CHECK(whole["usage"]["prompt_tokens"] == 3 + 2);  // <bos> before each
    CHECK(whole["usage"]["completion_tokens"] == 2 * 3 * 20);
  }
}

TEST_CASE("logprobs of a completion, with those of the prompt", "[http]") {
  HttpWire wire;
  const Json choice = unary(wire, "/v1/completions",
                            {{"prompt", "ab"}, {"max_tokens", 2}, {"logprobs", 1}, {"echo", true}})
                          .at("choices")[0];
  CHECK(choice["text"] == "abt0 t1 ");
  CHECK(choice["logprobs"]["tokens"] ==
        Json::array({"<bos>", "a", "b", std::string(1, '\0'), "\x01"}));
  CHECK(choice["logprobs"]["token_logprobs"] == Json::array({nullptr, -1.0, -2.0, -0.0, -1.0}));
  // <bos> is not in the text.
  CHECK(choice["logprobs"]["text_offset"] == Json::array({0, 0, 1, 2, 3}));
  CHECK(choice["logprobs"]["top_logprobs"][0].is_null());
  CHECK(choice["logprobs"]["top_logprobs"][2] == Json{{std::string(1, '\0'), -10.0}, {"b", -2.0}});
  // The prompt alone, as evaluations ask for it.
  const Json only = unary(wire, "/v1/completions",
                          {{"prompt", "ab"}, {"max_tokens", 0}, {"logprobs", 0}, {"echo", true}});
  CHECK(only["choices"][0]["text"] == "ab");
  CHECK(only["choices"][0]["logprobs"]["token_logprobs"] == Json::array({nullptr, -1.0, -2.0}));
  CHECK(only["choices"][0]["finish_reason"] == "length");
  CHECK(only["usage"]["completion_tokens"] == 0);
}

// A model that ends by itself, and gives each token as the event that the engine makes of it.
struct EndingWire {
  EndingWire() {
    for (const int32_t id : std::vector<int32_t>{'H', 0xc3, 0xa9, ByteTokenizer::kBos, '!'})
      add(id, {});
    wire.engine.script[0] = "H";
    wire.engine.script[2] = "é";  // whole with its second byte
    wire.engine.script[4] = "!";
    end(ByteTokenizer::kEos, FinishReason::kEos);
  }
  void add(int32_t id, const std::string& text) {
    wire.engine.script.push_back(text);
    wire.engine.script_ids.push_back(id);
  }
  void end(int32_t id, FinishReason reason) {
    add(id, {});
    wire.engine.end = reason;
  }
  // Asks for a completion with `more`; what a stream adds up to is the same.
  Json choice(Json more) {
    more["max_tokens"] = wire.engine.script.size();
    const Json whole = unary(wire, "/v1/completions", more);
    CHECK(whole["usage"]["completion_tokens"] == wire.engine.script.size());
    CHECK(joined_completion(chunks(wire, "/v1/completions", more), 0) == [](Json choice) {
      choice.erase("token_ids");
      choice.erase("prompt_token_ids");
      return choice;
    }(whole["choices"][0]));
    return whole["choices"][0];
  }
  Json offsets(const Json& more) { return choice(more)["logprobs"]["text_offset"]; }

  HttpWire wire;
};

TEST_CASE("the token that ended a completion is the last of its arrays", "[http]") {
  EndingWire model;
  const Json out = model.choice({{"prompt", "ab"}, {"logprobs", 0}, {"return_token_ids", true}});
  CHECK(out["text"] == "Hé!");
  CHECK(out["token_ids"] == Json::array({'H', 0xc3, 0xa9, 257, '!', 256}));
  const Json& logprobs = out["logprobs"];
  CHECK(logprobs["tokens"] ==
        Json::array({"H", "bytes:\\xc3", "bytes:\\xa9", "<bos>", "!", "<eos>"}));
  CHECK(logprobs["token_logprobs"].size() == 6);
  CHECK(logprobs["top_logprobs"].back() == Json{{"<eos>", -5.0}});
  CHECK(out["finish_reason"] == "stop");
  CHECK(out["stop_reason"].is_null());
  model.wire.engine.end = FinishReason::kStopToken;
  CHECK(model.choice({{"prompt", "ab"}})["stop_reason"] == 256);
}

TEST_CASE("a chat's logprobs are those of its content", "[http]") {
  EndingWire model;
  Json body{{"messages", {{{"role", "user"}, {"content", "x"}}}},
            {"logprobs", true},
            {"return_token_ids", true},
            {"max_tokens", 6}};
  const auto size = [&] {
    const Json choice = unary(model.wire, "/v1/chat/completions", body)["choices"][0];
    CHECK(choice["token_ids"].size() == 6);
    const auto parts = chunks(model.wire, "/v1/chat/completions", body);
    CHECK(joined_chat(parts, 0)["logprobs"] == choice["logprobs"]);
    return choice["logprobs"]["content"].size();
  };
  CHECK(size() == 5);
  // Where the text of the stop token is asked for, it is content.
  body["include_stop_str_in_output"] = true;
  CHECK(size() == 5);  // <eos> is skipped
  body["skip_special_tokens"] = false;
  CHECK(size() == 6);
  body["skip_special_tokens"] = true;
  model.wire.engine.script_ids.back() = '?';
  model.wire.engine.end = FinishReason::kStopToken;
  CHECK(size() == 6);
  model.wire.engine.end = FinishReason::kLength;
  body["include_stop_str_in_output"] = false;
  CHECK(size() == 6);
}

TEST_CASE("text_offset counts from the start of the prompt, in characters of the text", "[http]") {
  EndingWire model;
  const std::string text = "Once upon a time";
  const Json text_prompt{{"prompt", text}, {"logprobs", 0}};
  // H é(2 bytes) <bos> ! <eos>: é is one character, special tokens are none.
  CHECK(model.offsets(text_prompt) == Json::array({16, 17, 17, 18, 18, 19}));
  CHECK(model.offsets({{"prompt", text}, {"logprobs", 0}, {"skip_special_tokens", false}}) ==
        Json::array({16, 17, 17, 18, 23, 24}));
  const auto of_echo = [&](Json prompt, Json more = Json::object()) {
    more["prompt"] = std::move(prompt);
    more["echo"] = true;
    more["logprobs"] = 0;
    return model.choice(more);
  };
  // The text is the client's: what it spelt itself is in it, <bos> in front is not.
  const Json spelt = of_echo("é<eos>b");
  CHECK(spelt["text"] == "é<eos>bHé!");
  CHECK(spelt["logprobs"]["text_offset"] == Json::array({0, 0, 0, 1, 6, 7, 8, 8, 9, 9, 10}));
  // A prompt of ids has the text that they are decoded to.
  const Json ids = of_echo({257, 256, 'H', 'o', 'w'});
  CHECK(ids["text"] == "HowHé!");
  CHECK(ids["logprobs"]["text_offset"] == Json::array({0, 0, 0, 1, 2, 3, 4, 4, 5, 5, 6}));
  const Json whole_ids = of_echo({257, 'w'}, {{"skip_special_tokens", false}});
  CHECK(whole_ids["text"].get<std::string>().starts_with("<bos>wH"));
  CHECK(whole_ids["logprobs"]["text_offset"] == Json::array({0, 5, 6, 7, 7, 8, 13, 14}));
  // Bytes that form no character are one each, or one together where they begin one.
  const Json broken = of_echo({0xa9, 0xe2, 0x82, 'x', 0xe2});
  CHECK(broken["text"] == "\uFFFD\uFFFDx\uFFFDHé!");
  CHECK(broken["logprobs"]["text_offset"] == Json::array({0, 1, 1, 2, 3, 4, 5, 5, 6, 6, 7}));
  // The last two of the text's tokens.
  const Json cut = of_echo("abc", {{"truncate_prompt_tokens", 2}});
  CHECK(cut["text"] == "bcHé!");
  CHECK(cut["logprobs"]["text_offset"] == Json::array({0, 1, 2, 3, 3, 4, 4, 5}));
  CHECK(model.offsets({{"prompt", "abc"}, {"logprobs", 0}, {"truncate_prompt_tokens", 2}})[0] == 2);
  CHECK(model.offsets({{"prompt", {257, 'a'}}, {"logprobs", 0}})[0] == 1);
}

TEST_CASE("a prompt alone may be as long as the context", "[http]") {
  HttpWire wire;
  const Json body{
      {"prompt", std::vector<int>(4096, 'x')}, {"max_tokens", 0}, {"echo", true}, {"logprobs", 0}};
  const Json out = unary(wire, "/v1/completions", body);
  CHECK(out["choices"][0]["logprobs"]["tokens"].size() == 4096);
  CHECK(out["usage"]["completion_tokens"] == 0);
  CHECK(joined_completion(chunks(wire, "/v1/completions", body), 0) == out["choices"][0]);
  Json more = body;
  more["max_tokens"] = 1;
  CHECK(wire.post("/v1/completions", more.dump()).status == 400);
}

TEST_CASE("token ids and prompt logprobs, where asked for", "[http]") {
  HttpWire wire;
  const Json ids = unary(wire, "/v1/completions",
                         {{"prompt", {7, 8}}, {"max_tokens", 2}, {"return_token_ids", true}})
                       .at("choices")[0];
  CHECK(ids["token_ids"] == Json::array({0, 1}));
  CHECK(ids["prompt_token_ids"] == Json::array({7, 8}));
  std::vector<int> streamed;
  for (const Json& chunk :
       chunks(wire, "/v1/completions",
              {{"prompt", {7, 8}}, {"max_tokens", 30}, {"return_token_ids", true}}))
    for (const Json& id : chunk["choices"][0]["token_ids"]) streamed.push_back(id);
  CHECK(streamed.size() == 30);
  const Json wanted =
      Json::parse(R"([null, {"8": {"logprob": -1.0, "rank": 1, "decoded_token": "\b"},
                                             "0": {"logprob": -10.0, "rank": 1,
                                                   "decoded_token": "\u0000"}}])");
  CHECK(unary(wire, "/v1/completions",
              {{"prompt", {7, 8}}, {"max_tokens", 1}, {"prompt_logprobs", 1}})
            .at("choices")[0]["prompt_logprobs"] == wanted);
  const Json chat = unary(wire, "/v1/chat/completions",
                          {{"messages", {{{"role", "user"}, {"content", "x"}}}},
                           {"max_tokens", 1},
                           {"prompt_logprobs", 0}});
  CHECK(chat["prompt_logprobs"].size() == chat["usage"]["prompt_tokens"]);
}

TEST_CASE("a chat, whole and streamed", "[http]") {
  HttpWire wire;
  const Json body{{"messages", {{{"role", "user"}, {"content", "hi"}}}},
                  {"n", 2},
                  {"max_completion_tokens", 15},
                  {"logprobs", true},
                  {"top_logprobs", 1}};
  const Json whole = unary(wire, "/v1/chat/completions", body);
  CHECK(whole["object"] == "chat.completion");
  const std::vector<Json> parts = chunks(wire, "/v1/chat/completions", body);
  for (const Json& part : parts) CHECK(part["object"] == "chat.completion.chunk");
  for (int i = 0; i < 2; ++i) CHECK(joined_chat(parts, i) == without_ids(whole["choices"][i]));
  CHECK(whole["choices"][0]["message"]["content"] == FakeEngine::answer(15));
  CHECK(whole["choices"][0]["logprobs"]["content"][2] ==
        Json::parse(R"({"token": "\u0002", "logprob": -2.0, "bytes": [2], "top_logprobs":
                        [{"token": "\u0000", "logprob": -10.0, "bytes": [0]}]})"));
  CHECK(std::string(wire.engine.last_request.prompt_token_ids.begin(),
                    wire.engine.last_request.prompt_token_ids.end()) == "[user]hi[assistant]");
}

TEST_CASE("tool calls, whole and streamed, however tokens cut them", "[http]") {
  const std::string answer =
      "I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"q\": \"né\", \"k\": 1}}\n"
      "</tool_call>\n<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>";
  for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, answer.size()}) {
    HttpWire wire;
    for (size_t at = 0; at < answer.size(); at += step)
      wire.engine.script.push_back(answer.substr(at, step));
    Json body{{"messages", {{{"role", "user"}, {"content", "hi"}}}},
              {"tools", kTools},
              {"max_tokens", wire.engine.script.size()}};
    const Json choice = unary(wire, "/v1/chat/completions", body).at("choices")[0];
    CHECK(choice["message"]["content"] == "I look.");
    REQUIRE(choice["message"]["tool_calls"].size() == 2);
    const Json& call = choice["message"]["tool_calls"][0];
    CHECK(call["type"] == "function");
    CHECK(call["id"] != choice["message"]["tool_calls"][1]["id"]);
    CHECK(call["function"]["name"] == "f");
    CHECK(Json::parse(call["function"]["arguments"].get<std::string>()) ==
          Json{{"q", "né"}, {"k", 1}});
    CHECK(joined_chat(chunks(wire, "/v1/chat/completions", body), 0) == without_ids(choice));
    // Without tools the same answer is text.
    body.erase("tools");
    const Json text = unary(wire, "/v1/chat/completions", body).at("choices")[0];
    CHECK(text["message"]["content"] == answer);
    CHECK_FALSE(text["message"].contains("tool_calls"));
  }
}

TEST_CASE("of several calls the first is given where they must not be parallel", "[http]") {
  HttpWire wire;
  wire.engine.script = {R"(a<tool_call>{"name": "f", "arguments": {}}</tool_call>)",
                        R"(<tool_call>{"name": "g", "arguments": {}}</tool_call>)",
                        R"(<tool_call>{"name": "h", "arguments": {}}</tool_call>b)"};
  wire.engine.end = FinishReason::kEos;
  Json body{
      {"messages", {{{"role", "user"}, {"content", "hi"}}}}, {"tools", kTools}, {"max_tokens", 3}};
  const auto names = [&] {
    const Json choice = unary(wire, "/v1/chat/completions", body).at("choices")[0];
    CHECK(joined_chat(chunks(wire, "/v1/chat/completions", body), 0) == without_ids(choice));
    CHECK(choice["finish_reason"] == "tool_calls");
    CHECK(choice["message"]["content"] == "ab");
    std::string out;
    for (const Json& call : choice["message"]["tool_calls"])
      out += call["function"]["name"].get<std::string>();
    return out;
  };
  CHECK(names() == "fgh");
  body["parallel_tool_calls"] = true;
  CHECK(names() == "fgh");
  body["parallel_tool_calls"] = false;
  CHECK(names() == "f");
}

TEST_CASE("usage in every chunk", "[http]") {
  HttpWire wire;
  const Json prompts{{"prompt", {"ab", "c"}}, {"n", 2}, {"max_tokens", 9}};
  const Json chat{{"messages", {{{"role", "user"}, {"content", "x"}}}}, {"max_tokens", 9}};
  for (auto [path, body] :
       {std::pair("/v1/completions", prompts), {"/v1/chat/completions", chat}}) {
    const Json whole = unary(wire, path, body)["usage"];
    for (const bool with_last : {false, true}) {
      body["stream_options"] = {{"continuous_usage_stats", true}, {"include_usage", with_last}};
      const std::vector<Json> all = chunks(wire, path, body);
      int before = 0;
      for (const Json& chunk : all) {
        const Json& usage = chunk.at("usage");
        const int now = usage.at("completion_tokens");
        CHECK(usage.at("prompt_tokens") == whole["prompt_tokens"]);
        CHECK(usage.at("total_tokens") == whole["prompt_tokens"].get<int>() + now);
        CHECK(now >= before);
        before = now;
      }
      CHECK(before == whole["completion_tokens"]);
      CHECK(all.back()["choices"].empty() == with_last);
      if (with_last) CHECK(all.back()["usage"] == whole);
      if (path == std::string("/v1/chat/completions"))
        CHECK(all[0]["usage"]["completion_tokens"] == 0);  // the role
    }
  }
}

TEST_CASE("reasoning_effort is a variable of the template, and not ignored silently", "[http]") {
  HttpWire wire;
  const auto post = [&](const std::string& member) {
    return wire.post(
        "/v1/chat/completions",
        R"({"messages": [{"role": "user", "content": "x"}], "max_tokens": 1, )" + member + "}");
  };
  const auto prompt = [&](const std::string& member) {
    CHECK(post(member).status == 200);
    const std::vector<int32_t>& ids = wire.engine.last_request.prompt_token_ids;
    return std::string(ids.begin(), ids.end());
  };
  CHECK(prompt(R"("reasoning_effort": "none")") == "[user]x[assistant]");
  for (const char* member :
       {R"("reasoning_effort": "low")", R"("chat_template_kwargs": {"reasoning_effort": "low"})"}) {
    const httplib::Response refused = post(member);
    CHECK(refused.status == 400);
    const Json error = Json::parse(refused.body)["error"];
    CHECK(error["reason"] == "FEATURE_DISABLED");
    CHECK(error["param"] == "reasoning_effort");
  }
  wire.engine.set_template(
      "{{ reasoning_effort }} {{ enable_thinking }} {{ messages[0].content }}");
  CHECK(prompt(R"("reasoning_effort": "low")") == "low  x");
  CHECK(prompt(R"("reasoning_effort": "none")") == "none False x");
  CHECK(prompt(R"("reasoning_effort": "low", "chat_template_kwargs": {"reasoning_effort": "a"})") ==
        "a  x");
  CHECK(
      prompt(R"("reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": true})") ==
      "none True x");
  CHECK(prompt(R"("reasoning_effort": null)") == "  x");
}

TEST_CASE("tags that are special tokens are seen by the parser, not by the client", "[http]") {
  const std::vector<std::string> kAnswer = {"Hm ",
                                            "<tool_call>",
                                            "not JSON",
                                            "</tool_call>",
                                            "</tool_call>",
                                            "<tool_call>",
                                            R"({"name": "f", "parameters": {"k": 1}})",
                                            "</tool_call>"};
  Json body{{"messages", {{{"role", "user"}, {"content", "hi"}}}},
            {"tools", kTools},
            {"max_tokens", kAnswer.size()}};
  const auto message = [&](const Json& more, bool special) {
    HttpWire wire;
    wire.engine.script = kAnswer;
    wire.engine.script_ids = {0, 256, 0, 257, 257, 256, 0, 257};
    if (special)
      wire.engine.tokenizer_for_change().named = {{"<tool_call>", ByteTokenizer::kEos},
                                                  {"</tool_call>", ByteTokenizer::kBos}};
    Json all = body;
    all.update(more);
    const Json choice = unary(wire, "/v1/chat/completions", all).at("choices")[0];
    CHECK(joined_chat(chunks(wire, "/v1/chat/completions", all), 0) == without_ids(choice));
    CHECK(wire.engine.last_request.sampling.shown_special_token_ids.size() == (special ? 2 : 0));
    REQUIRE(choice["message"]["tool_calls"].size() == 1);
    CHECK(choice["message"]["tool_calls"][0]["function"]["arguments"] == R"({"k": 1})");
    return choice["message"]["content"].get<std::string>();
  };
  CHECK(message(Json::object(), true) == "Hm not JSON");
  const std::string as_written = "Hm <tool_call>not JSON</tool_call></tool_call>";
  CHECK(message({{"skip_special_tokens", false}}, true) == as_written);
  CHECK(message(Json::object(), false) == as_written);
}

TEST_CASE("tags that the model spelled with ordinary tokens are text", "[http]") {
  for (const std::string answer :
       {"a <tool_call> b", "a</tool_call>", "<tool_call>x</tool_call><tool_call>"}) {
    HttpWire wire;
    for (const char c : answer) {
      wire.engine.script.emplace_back(1, c);
      wire.engine.script_ids.push_back(c);
    }
    wire.engine.tokenizer_for_change().named = {{"<tool_call>", ByteTokenizer::kEos},
                                                {"</tool_call>", ByteTokenizer::kBos}};
    const Json body{{"messages", {{{"role", "user"}, {"content", "hi"}}}},
                    {"tools", kTools},
                    {"max_tokens", answer.size()}};
    const Json choice = unary(wire, "/v1/chat/completions", body).at("choices")[0];
    CHECK(choice["message"]["content"] == answer);
    CHECK(joined_chat(chunks(wire, "/v1/chat/completions", body), 0) == without_ids(choice));
  }
}

TEST_CASE("finish reasons", "[http]") {
  HttpWire wire;
  const Json chat{{"messages", {{{"role", "user"}, {"content", "hi"}}}}, {"max_tokens", 1}};
  Json with_tools = chat;
  with_tools["tools"] = kTools;
  const auto reason = [&](const Json& body) {
    const Json choice = unary(wire, "/v1/chat/completions", body).at("choices")[0];
    CHECK(joined_chat(chunks(wire, "/v1/chat/completions", body), 0) == without_ids(choice));
    return choice["finish_reason"].get<std::string>();
  };
  wire.engine.script = {R"(<tool_call>{"name": "f"}</tool_call>)"};
  CHECK(reason(chat) == "length");
  CHECK(reason(with_tools) == "length");
  wire.engine.end = FinishReason::kEos;
  CHECK(reason(chat) == "stop");
  CHECK(reason(with_tools) == "tool_calls");
  wire.engine.script = {"text"};
  CHECK(reason(with_tools) == "stop");
  wire.engine.end = FinishReason::kStopString;
  const Json choice =
      unary(wire, "/v1/completions", {{"prompt", "x"}, {"max_tokens", 1}}).at("choices")[0];
  CHECK(choice["finish_reason"] == "stop");
  CHECK(choice["stop_reason"] == "stop!");
}

TEST_CASE("tools reach the template, unless none may be called", "[http]") {
  HttpWire wire;
  Json body{
      {"messages", {{{"role", "user"}, {"content", "hi"}}}}, {"tools", kTools}, {"max_tokens", 1}};
  const auto prompt = [&] {
    unary(wire, "/v1/chat/completions", body);
    const std::vector<int32_t>& ids = wire.engine.last_request.prompt_token_ids;
    return std::string(ids.begin(), ids.end());
  };
  CHECK(prompt().starts_with("[tools]"));
  body["tool_choice"] = "none";
  CHECK(prompt() == "[user]hi[assistant]");
}

TEST_CASE("tokenize and detokenize", "[http]") {
  HttpWire wire;
  const auto post = [&](const std::string& path, const std::string& body) {
    const httplib::Response response = wire.post(path, body);
    CHECK(response.status == 200);
    return Json::parse(response.body);
  };
  CHECK(post("/tokenize", R"({"prompt": "ab", "model": "fake"})") ==
        Json::parse(R"({"count": 3, "max_model_len": 4096, "tokens": [257, 97, 98],
                        "token_strs": null})"));
  const Json pieces = post(
      "/tokenize", R"({"prompt": "a", "add_special_tokens": false, "return_token_strs": true})");
  CHECK(pieces["token_strs"] == Json::array({"a"}));
  const Json chat = post("/tokenize", R"({"messages": [{"role": "user", "content": "x"}],
                                          "add_generation_prompt": false})");
  CHECK(chat["count"] == 7);  // [user]x
  CHECK(post("/detokenize", R"({"tokens": [97, 98]})")["prompt"] == "ab");
  const auto param = [&](const std::string& path, const std::string& body) {
    const httplib::Response response = wire.post(path, body);
    CHECK(response.status == 400);
    return Json::parse(response.body)["error"]["param"];
  };
  CHECK(param("/tokenize", "{}") == "prompt");
  CHECK(param("/tokenize", R"({"prompt": "a", "messages": []})") == "messages");
  CHECK(param("/tokenize", R"({"prompt": 1})") == "prompt");
  CHECK(param("/detokenize", R"({"tokens": [999]})") == "tokens[0]");
  CHECK(param("/detokenize", R"({"tokens": "a"})") == "tokens");
  CHECK(param("/detokenize", "{}") == "tokens");
  CHECK(wire.post("/tokenize", R"({"prompt": "a", "model": "x"})").status == 404);
}
