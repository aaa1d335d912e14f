// What the chat template sees of a conversation that came over HTTP.
#include <catch2/catch.hpp>

#include "tests/server/http/http_wire.h"

using namespace tern;

namespace {

std::string last_prompt(HttpWire& wire) {
  const std::vector<int32_t>& ids = wire.engine.last_request.prompt_token_ids;
  return {ids.begin(), ids.end()};
}

}  // namespace

TEST_CASE("beside tool calls an empty content is not a missing one", "[http]") {
  HttpWire wire;
  wire.engine.set_template(
      "{% for m in messages %}{{ m.content is none }} {{ m.content == '' }} {% endfor %}");
  const Json calls = Json::parse(R"([{"id": "c", "type": "function",
                                      "function": {"name": "f", "arguments": "{}"}}])");
  Json message{{"role", "assistant"}, {"content", ""}, {"tool_calls", calls}};
  const auto prompt = [&] {
    const Json body{{"messages", {message}}, {"max_tokens", 1}};
    CHECK(wire.post("/v1/chat/completions", body.dump()).status == 200);
    return last_prompt(wire);
  };
  CHECK(prompt() == "False True ");
  message["content"] = nullptr;
  CHECK(prompt() == "True False ");
  message.erase("content");
  CHECK(prompt() == "True False ");
}

TEST_CASE("documents that are none are the mistake, not the messages", "[http]") {
  HttpWire wire;
  wire.engine.set_template("{{ documents }}{{ messages[0].content }}");
  for (const char* member : {R"("documents": ["x"])", R"("documents": [{}, 1])",
                             R"("chat_template_kwargs": {"documents": [null]})"}) {
    const httplib::Response refused = wire.post(
        "/v1/chat/completions",
        std::string(R"({"messages": [{"role": "user", "content": "x"}], )") + member + "}");
    CHECK(refused.status == 400);
    CHECK(Json::parse(refused.body)["error"]["param"] == "documents");
  }
}

TEST_CASE("the template sees tools as the client wrote them", "[http]") {
  HttpWire wire;
  wire.engine.set_template("{{ tools | tojson }}");
  const std::string tool = R"({"function": {"parameters": {"z": 1.5, "a": {}}, "strict": true, )"
                           R"("description": "", "name": "f"}, "type": "function"})";
  const auto post = [&](const std::string& tools, const std::string& more = "") {
    return wire.post("/v1/chat/completions",
                     R"({"messages": [{"role": "user", "content": "x"}], "max_tokens": 1, )"
                     R"("tools": )" +
                         tools + more + "}");
  };
  const auto prompt = [&](const std::string& tools) {
    CHECK(post(tools).status == 200);
    return last_prompt(wire);
  };
  CHECK(prompt("[" + tool + ", " + tool + "]") == "[" + tool + ", " + tool + "]");
  CHECK(prompt(R"([{"cache_control": {}, "function": {"strict": null, "name": "f",
                    "defer_loading": false}}])") == R"([{"function": {"name": "f"}}])");
  CHECK(prompt(R"([{"type": "function", "strict": true, "function": {"name": "f",
                    "cache_control": {"type": "ephemeral"}}}])") ==
        R"([{"type": "function", "function": {"name": "f"}}])");
  const std::string big =
      R"([{"function": {"name": "f", "parameters": {"max": )"
      R"([18446744073709551616, -9223372036854775809, 9223372036854775808]}}}])";
  CHECK(prompt(big) == big);
  const httplib::Response refused =
      post("[" + tool + "]", R"(, "chat_template_kwargs": {"tools": [{"x": 1}]})");
  CHECK(refused.status == 400);
  CHECK(Json::parse(refused.body)["error"]["param"] == "chat_template_kwargs.tools");
  CHECK(post(R"([{"function": {"name": ""}}])").status == 400);
}

TEST_CASE("numbers that a template prints keep their digits, others are numbers", "[http]") {
  HttpWire wire;
  wire.engine.set_template(
      "{{ n }} {% for m in messages %}{% for c in m.tool_calls %}{{ c.function.arguments }} "
      "{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}");
  const auto post = [&](const std::string& arguments, const std::string& more = "") {
    return wire.post("/v1/chat/completions",
                     R"({"max_tokens": 1, "messages": [{"role": "assistant", "tool_calls":
                         [{"type": "function", "function": {"name": "f", "arguments": )" +
                         arguments +
                         R"(}}]}], "chat_template_kwargs": {"n": 20000000000000000001})" + more +
                         "}");
  };
  CHECK(post(R"({"x":20000000000000000001})").status == 200);
  CHECK(last_prompt(wire) ==
        R"(20000000000000000001 {"x":20000000000000000001} {"x": 20000000000000000001})");
  CHECK(post(R"("{\"x\": 20000000000000000001}")").status == 200);
  CHECK(last_prompt(wire) ==
        R"(20000000000000000001 {"x": 20000000000000000001} {"x": 20000000000000000001})");
  for (const auto& [arguments, number] :
       {std::pair{R"("{\"x\": NaN}")", "NaN"}, {R"("{\"x\": 1e400}")", "1e400"}}) {
    const httplib::Response refused = post(arguments);
    CHECK(refused.status == 400);
    const Json error = Json::parse(refused.body)["error"];
    CHECK(error["message"].get<std::string>().find(number) != std::string::npos);
    CHECK(error["param"] == "messages[0].tool_calls[0].function.arguments");
  }
  const httplib::Response refused = post("{}", R"(, "temperature": 20000000000000000001)");
  CHECK(Json::parse(refused.body)["error"]["param"] == "temperature");
}

TEST_CASE("hints are passed over where texts are only tokenized, too", "[http]") {
  HttpWire wire;
  const std::string hints = R"(, "user": "u", "keep_alive": "5m", "prompt_cache_key": "k",
                               "safety_identifier": "s", "cache_prompt": true})";
  CHECK(wire.post("/tokenize", R"({"prompt": "ab")" + hints).status == 200);
  CHECK(wire.post("/detokenize", R"({"tokens": [97])" + hints).status == 200);
  CHECK(wire.post("/tokenize", R"({"prompt": "ab", "nobody": 1})").status == 400);
}
