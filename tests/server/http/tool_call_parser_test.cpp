// Tool calls in a model's answer: the same however the answer is cut.
#include "server/http/tool_call_parser.h"

#include <catch2/catch.hpp>

using namespace tern::http;

namespace {

struct Whole {
  std::string text;
  std::vector<std::string> calls;  // name + arguments

  bool operator==(const Whole&) const = default;
};

void add(const ParsedText& part, Whole* out) {
  out->text += part.text;
  for (const ToolCall& call : part.calls) out->calls.push_back(call.name + call.arguments);
}

Whole parse(const std::vector<std::string>& pieces) {
  ToolCallParser parser;
  Whole out;
  for (const std::string& piece : pieces) add(parser.push(piece), &out);
  add(parser.finish(), &out);
  CHECK(parser.has_calls() == !out.calls.empty());
  return out;
}

const std::string kCall = R"(<tool_call>
{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}
</tool_call>)";
const std::string kParsed = R"(get_weather{"city": "Paris", "days": 2})";

struct Case {
  std::string answer;
  Whole whole;
};

const Case kCases[] = {
    {"", {}},
    {"no call  at all \n", {"no call  at all \n", {}}},
    {"a < b <tool and <tool_cal", {"a < b <tool and <tool_cal", {}}},
    {kCall, {"", {kParsed}}},
    {"Let me look. \n" + kCall + "\n", {"Let me look.", {kParsed}}},
    {kCall + "\n" + kCall, {"", {kParsed, kParsed}}},
    {"one " + kCall + " two " + kCall + " three ", {"onetwothree ", {kParsed, kParsed}}},
    {R"(<tool_call>{"name": "now"}</tool_call>)", {"", {"now{}"}}},
    {R"(<tool_call>{"name": "f", "arguments": "{\"x\": 1}"}</tool_call>)", {"", {R"(f{"x": 1})"}}},
    {R"(<tool_call>{"name": "f", "arguments": {"z": 1, "a": "</tool"}}</tool_call>)",
     {"", {R"(f{"z": 1, "a": "</tool"})"}}},
    // The model stopped before the closing tag.
    {R"(<tool_call>{"name": "f", "arguments": {}})", {"", {"f{}"}}},
    {R"(<tool_call>{"name": "f", "argu)", {R"(<tool_call>{"name": "f", "argu)", {}}},
    // No calls: they stay as they were written.
    {"<tool_call>not JSON</tool_call>", {"<tool_call>not JSON</tool_call>", {}}},
    {"x <tool_call>[1]</tool_call> y", {"x <tool_call>[1]</tool_call> y", {}}},
    {R"(<tool_call>{"name": 3}</tool_call>)", {R"(<tool_call>{"name": 3}</tool_call>)", {}}},
    {R"(<tool_call>{"name": "f", "arguments": [1]}</tool_call>)",
     {R"(<tool_call>{"name": "f", "arguments": [1]}</tool_call>)", {}}},
    {"<tool_call></tool_call>", {"<tool_call></tool_call>", {}}},
    {R"(<tool_call>{"name": " ", "arguments": {}}</tool_call>)",
     {R"(<tool_call>{"name": " ", "arguments": {}}</tool_call>)", {}}},
    // Arguments by their other name, as text, and none.
    {R"(<tool_call>{"name": "f", "parameters": {"a": 1}}</tool_call>)", {"", {R"(f{"a": 1})"}}},
    {R"(<tool_call>{"parameters": "{\"a\": 1}", "name": "f"}</tool_call>)", {"", {R"(f{"a": 1})"}}},
    {R"(<tool_call>{"name": "f", "arguments": null, "parameters": {"a": 1}}</tool_call>)",
     {"", {R"(f{"a": 1})"}}},
    {R"(<tool_call>{"id": "1", "type": "function", "name": "f", "arguments": ""}</tool_call>)",
     {"", {"f{}"}}},
    {R"(<tool_call>{"name": "f", "parameters": null}</tool_call>)", {"", {"f{}"}}},
    {R"(<tool_call>{"name": "f", "arguments": {}, "parameters": {"a": 1}}</tool_call>)",
     {"", {R"(f{"a": 1})"}}},
    {R"(<tool_call>{"name": "f", "arguments": "{}", "parameters": "{\"a\": 1}"}</tool_call>)",
     {"", {R"(f{"a": 1})"}}},
    {R"(<tool_call>{"parameters": {}, "name": "f", "arguments": {"a": 1}}</tool_call>)",
     {"", {R"(f{"a": 1})"}}},
    // Arguments are given as they were written.
    {R"(<tool_call>{"name": "f", "arguments": {"id":12345678901234567890123, "x": 1.10,
"x":1e2,"s":"\u00e9\"}{"}, "id": "}"}</tool_call>)",
     {"", {R"(f{"id":12345678901234567890123, "x": 1.10,
"x":1e2,"s":"\u00e9\"}{"})"}}},
    {R"(<tool_call>{"name":"f","\u0061rguments" : [] ,"parameters":{}}</tool_call>)",
     {R"(<tool_call>{"name":"f","\u0061rguments" : [] ,"parameters":{}}</tool_call>)", {}}},
    {R"(<tool_call>{"name":"f","p\u0061rameters" : {"b" : [ {} ] } }</tool_call>)",
     {"", {R"(f{"b" : [ {} ] })"}}},
    {R"(<tool_call>{"name":"f","arguments":"{\"n\": 1.10, \"n\": 98765432109876543210}"}</tool_call>)",
     {"", {R"(f{"n": 1.10, "n": 98765432109876543210})"}}},
    // No call is made up of what nobody understands.
    {R"(<tool_call>{"name":"f","arguments":{},"city":"Oslo"}</tool_call>)",
     {R"(<tool_call>{"name":"f","arguments":{},"city":"Oslo"}</tool_call>)", {}}},
    {R"(<tool_call>{"name":"f","days":2,"parameters":{"city":"Oslo"}}</tool_call>)",
     {R"(<tool_call>{"name":"f","days":2,"parameters":{"city":"Oslo"}}</tool_call>)", {}}},
    {R"(<tool_call>{"name": "f", "arguments": "a=1"}</tool_call>)",
     {R"(<tool_call>{"name": "f", "arguments": "a=1"}</tool_call>)", {}}},
    {R"(<tool_call>{"name": "f", "arguments": "[1]"}</tool_call>)",
     {R"(<tool_call>{"name": "f", "arguments": "[1]"}</tool_call>)", {}}},
    {R"(<tool_call>{"name": "f", "args": {"a": 1}}</tool_call>)",
     {R"(<tool_call>{"name": "f", "args": {"a": 1}}</tool_call>)", {}}},
    {R"(<tool_call>{"name": "f", "city": "Paris"}</tool_call>)",
     {R"(<tool_call>{"name": "f", "city": "Paris"}</tool_call>)", {}}},
    {R"(<tool_call>{"type": "function", "function": {"name": "f", "arguments": {}}}</tool_call>)",
     {R"(<tool_call>{"type": "function", "function": {"name": "f", "arguments": {}}}</tool_call>)",
      {}}},
    {R"([TOOL_CALLS][{"name": "f", "arguments": {}}])",
     {R"([TOOL_CALLS][{"name": "f", "arguments": {}}])", {}}},
    {R"(<|python_tag|>{"name": "f", "parameters": {}})",
     {R"(<|python_tag|>{"name": "f", "parameters": {}})", {}}},
    // Tags within the call's strings.
    {R"(<tool_call>{"name": "f", "arguments": {"x": "</tool_call><tool_call>\"</tool_call>"}}</tool_call>)",
     {"", {R"(f{"x": "</tool_call><tool_call>\"</tool_call>"})"}}},
    {R"(<tool_call>{"name": "f", "arguments": {"x": "\\"}}</tool_call> y)",
     {"y", {R"(f{"x": "\\"})"}}},
    // A broken call, and what comes behind it.
    {R"(<tool_call>{"name": "f</tool_call>)" + kCall,
     {R"(<tool_call>{"name": "f</tool_call>)", {kParsed}}},
    {R"(<tool_call>say "x</tool_call>)" + kCall, {R"(<tool_call>say "x</tool_call>)", {kParsed}}},
    {R"(<tool_call>{"name": "f", "arguments": {}<tool_call>)" + kCall,
     {R"(<tool_call>{"name": "f", "arguments": {}<tool_call>)", {kParsed}}},
    {"<tool_call>" + kCall + "</tool_call>", {"<tool_call></tool_call>", {kParsed}}},
    {R"(<tool_call>{"name": "f"}<tool_call>{"name": "g"}</tool_call>)", {"", {"f{}", "g{}"}}},
    // Cut by max_tokens.
    {kCall.substr(0, kCall.size() - 4), {"", {kParsed}}},
    {R"(<tool_call>{"name": "f", "arguments": {"a": "</tool_call>)",
     {R"(<tool_call>{"name": "f", "arguments": {"a": "</tool_call>)", {}}},
    {kCall + "<tool_call>", {"<tool_call>", {kParsed}}},
    {"</tool_call> alone", {"</tool_call> alone", {}}},
    {"<<tool_call>" + std::string(R"({"name":"f"})") + "</tool_call>", {"<", {"f{}"}}},
};

}  // namespace

TEST_CASE("tool calls are found, and what is none stays text", "[http]") {
  for (const Case& c : kCases) {
    CAPTURE(c.answer);
    CHECK(parse({c.answer}) == c.whole);
  }
}

TEST_CASE("an answer cut anywhere has the same text and calls", "[http]") {
  for (const Case& c : kCases) {
    CAPTURE(c.answer);
    const Whole whole = parse({c.answer});
    std::vector<std::string> bytes;
    for (const char byte : c.answer) bytes.emplace_back(1, byte);
    CHECK(parse(bytes) == whole);
    for (size_t i = 0; i <= c.answer.size(); ++i)
      for (size_t j = i; j <= c.answer.size(); ++j)
        if (parse({c.answer.substr(0, i), c.answer.substr(i, j - i), c.answer.substr(j)}) != whole)
          FAIL("cut at " << i << " and " << j);
  }
}

TEST_CASE("hidden tags stand in no text", "[http]") {
  const auto replace = [](std::string text, std::string open, std::string close) {
    for (const auto& [tag, with] : {std::pair(kToolCallOpen, open), {kToolCallClose, close}})
      for (size_t at; (at = text.find(tag)) != std::string::npos;)
        text.replace(at, tag.size(), with);
    return text;
  };
  for (const Case& c : kCases) {
    CAPTURE(c.answer);
    const std::string answer = replace(c.answer, {kHiddenOpen}, {kHiddenClose});
    const Whole whole = parse({answer});
    CHECK(whole.text == replace(c.whole.text, "", ""));
    CHECK(whole.calls == c.whole.calls);
    std::vector<std::string> bytes;
    for (const char byte : answer) bytes.emplace_back(1, byte);
    CHECK(parse(bytes) == whole);
  }
}

TEST_CASE("text that cannot be a call is not held back", "[http]") {
  ToolCallParser parser;
  CHECK(parser.push("Hello").text == "Hello");
  CHECK(parser.push(" <b>bold</b>").text == " <b>bold</b>");
  CHECK(parser.push(" <tool").text.empty());
  CHECK(parser.push("box>").text == " <toolbox>");
}

TEST_CASE("a deeply nested call is text", "[http]") {
  const std::string deep =
      R"(<tool_call>{"name": "f", "arguments": )" + std::string(100'000, '[') + "</tool_call>";
  CHECK(parse({deep}).text == deep);
}
