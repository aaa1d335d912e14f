// Conversations of tern.v1 on their way to the model's chat template.
#include <catch2/catch.hpp>

#include "server/api/convert.h"
#include "tests/support/fake_engine.h"

using namespace tern;

namespace {

struct Rendered {
  std::string text;
  std::optional<ApiError> error;
};

Rendered render(const v1::ChatInput& chat, const std::string& source = "") {
  FakeEngine engine;
  if (!source.empty()) engine.set_template(source);
  Rendered out;
  out.error = render_chat(chat, engine, &out.text);
  return out;
}

v1::ChatInput chat_with(const std::string& content) {
  v1::ChatInput chat;
  v1::ChatMessage& message = *chat.add_messages();
  message.set_role("user");
  message.set_content(content);
  return chat;
}

std::string field_of(const Rendered& rendered) {
  REQUIRE(rendered.error);
  return rendered.error->field;
}

}  // namespace

TEST_CASE("a template that fails without tools is no obstacle to tools", "[convert]") {
  v1::ChatInput chat = chat_with("hi");
  const std::string source =
      "{% for t in tools %}{{ t.function.name }};{% endfor %}{{ messages[0].content }}";
  CHECK(render(chat, source).error->reason == "CHAT_TEMPLATE");
  chat.add_tools()->set_name("f");
  CHECK(render(chat, source).text == "f;hi");
  const Rendered refused = render(chat, "{{ messages[0].content }}");
  CHECK(field_of(refused) == "chat.tools");
  CHECK(refused.error->reason == "FEATURE_DISABLED");
}

TEST_CASE("content in parts", "[convert]") {
  v1::ChatInput chat = chat_with("");
  for (const char* text : {"A", "B"}) chat.mutable_messages(0)->add_content_parts()->set_text(text);
  CHECK(render(chat).text == "[user]A\nB[assistant]");
  CHECK(render(chat,
               "{% for m in messages %}{% for p in m.content %}<{{ p.text }}>{% endfor %}"
               "{% endfor %}")
            .text == "<A><B>");
  chat.mutable_messages(0)->add_content_parts();
  CHECK(field_of(render(chat)) == "chat.messages[0].content_parts[2]");
  chat.mutable_messages(0)->set_content("x");
  CHECK(field_of(render(chat)) == "chat.messages[0].content_parts");
}

TEST_CASE("a message of tool calls alone has no content", "[convert]") {
  v1::ChatInput chat = chat_with("");
  v1::ToolCall& call = *chat.mutable_messages(0)->add_tool_calls();
  call.set_name("f");
  call.set_arguments_json(R"({"z":1})");
  const std::string calls =
      "{% for c in m.tool_calls %}{{ c.function.name + c.function.arguments }}{% endfor %}";
  CHECK(render(chat, "{% for m in messages %}{% if m.content is none %}" + calls +
                         "{% endif %}{% endfor %}")
            .text == R"(f{"z":1})");
  CHECK(render(chat).text == R"([user]{"name": "f", "arguments": {"z": 1}}[assistant])");
  chat.mutable_messages(0)->add_content_parts()->set_text("");
  CHECK(render(chat, "{{ messages[0].content is none }}").text == "False");
  chat.mutable_messages(0)->clear_content_parts();
  chat.mutable_messages(0)->clear_tool_calls();
  CHECK(render(chat, "{{ messages[0].content is none }}").text == "False");
}

TEST_CASE("variables of the template", "[convert]") {
  v1::ChatInput chat = chat_with("hi");
  auto& fields = *chat.mutable_template_variables()->mutable_fields();
  fields["a"].set_string_value("1");
  fields["b"].set_string_value("2");
  chat.set_template_variables_json(R"({"b": "3", "documents": [{"z": 1, "a": 2}]})");
  CHECK(render(chat, "{{ a }}{{ b }}{{ documents | tojson }}").text == R"(13[{"z": 1, "a": 2}])");
  chat.set_template_variables_json(R"({"documents": ["x"]})");
  CHECK(field_of(render(chat, "{{ documents }}")) == "chat.template_variables.documents");
  chat.set_template_variables_json(R"({"documents": {"x": 1}})");
  CHECK(field_of(render(chat, "{{ documents }}")) == "chat.template_variables.documents");
  chat.set_template_variables_json(R"({"documents": [{"x": 1}]})");
  CHECK(field_of(render(chat)) == "chat.template_variables.documents");  // not in the template
  chat.set_template_variables_json("[1]");
  CHECK(field_of(render(chat)) == "chat.template_variables_json");
  for (const std::string name : {"messages", "tools", "add_generation_prompt", "chat_template"}) {
    chat.set_template_variables_json("{\"" + name + "\": []}");
    CHECK(field_of(render(chat)) == "chat.template_variables." + name);
  }
  chat.set_template_variables_json(R"({"tools": null})");
  CHECK_FALSE(render(chat).error);
}

TEST_CASE("tools as text among the variables stand for the tools", "[convert]") {
  v1::ChatInput chat = chat_with("hi");
  chat.add_tools()->set_name("f");
  chat.set_template_variables_json(R"({"tools": [{"b": 1, "a": 2}]})");
  CHECK(render(chat, "{{ tools | tojson }}").text == R"([{"b": 1, "a": 2}])");
  for (const char* other : {R"({"tools": [{}, {}]})", R"({"tools": "x"})"}) {
    chat.set_template_variables_json(other);
    CHECK(field_of(render(chat, "{{ tools }}")) == "chat.template_variables.tools");
  }
}

TEST_CASE("the last message continued", "[convert]") {
  v1::ChatInput chat = chat_with("hi");
  v1::ChatMessage& last = *chat.add_messages();
  last.set_role("assistant");
  last.set_content("Once ");
  chat.set_continue_final_message(true);
  const std::string source =
      "{% for m in messages %}[{{ m.role }}]{{ m.content }}[end]{% endfor %}"
      "{% if add_generation_prompt %}[assistant]{% endif %}";
  CHECK(render(chat, source).text == "[user]hi[end][assistant]Once ");
  chat.set_add_generation_prompt(false);
  CHECK(render(chat, source).text == "[user]hi[end][assistant]Once ");
  chat.set_add_generation_prompt(true);
  const Rendered both = render(chat, source);
  CHECK(field_of(both) == "chat.continue_final_message");
  CHECK(both.error->reason == "CONSTRAINT_CONFLICT");
  chat.clear_add_generation_prompt();
  const Rendered left_out = render(chat, "{{ messages[0].content }}");
  CHECK(left_out.error->reason == "CHAT_TEMPLATE");
  CHECK(left_out.error->message.find("continue_final_message") != std::string::npos);
}

TEST_CASE("a broken template costs chat alone", "[convert]") {
  FakeEngine engine;
  engine.set_template("{% if %}");
  v1::GenerateRequest request;
  *request.mutable_chat() = chat_with("hi");
  GenerateCall call;
  const auto error = to_call(request, engine, {}, &call);
  REQUIRE(error);
  CHECK(error->reason == "FEATURE_DISABLED");
  CHECK(error->field == "chat");
  CHECK(error->message.find("line 1") != std::string::npos);
  request.set_text("hi");
  CHECK_FALSE(to_call(request, engine, {}, &call));
  CHECK_FALSE(to_wire(engine).has_chat_template());
}

TEST_CASE("special tokens that are shown", "[convert]") {
  FakeEngine engine;
  engine.tokenizer_for_change().named = {{"<a>", 256}};
  v1::GenerateRequest request;
  request.set_text("hi");
  for (const char* piece : {"<a>", "<b>"})
    request.mutable_response()->add_shown_special_tokens(piece);
  GenerateCall call;
  REQUIRE_FALSE(to_call(request, engine, {}, &call));
  CHECK(call.request.sampling.shown_special_token_ids == std::vector<int32_t>{256});
  for (int i = 0; i < 64; ++i) request.mutable_response()->add_shown_special_tokens("<a>");
  CHECK(to_call(request, engine, {}, &call)->field == "response.shown_special_tokens");
}

static Request ranked(const v1::GenerateRequest& in) {
  FakeEngine engine;
  engine.set_template("{{ messages[0].content }}");
  GenerateCall call;
  const auto error = to_call(in, engine, RequestLimits(), &call);
  INFO((error ? error->message : ""));
  REQUIRE_FALSE(error);
  return call.request;
}

TEST_CASE("a ranker sees the prompt, and not all of what is long", "[convert]") {
  v1::GenerateRequest r;
  r.set_text("how long is it?");
  CHECK(ranked(r).ranked_prompt == "how long is it?");
  CHECK(ranked(r).num_turns == 1);
  r.set_text(std::string(20'000, 'a') + " last");
  const std::string cut = ranked(r).ranked_prompt;
  CHECK(cut.size() == 8192);
  CHECK(cut.ends_with("a last"));
  r.mutable_token_ids()->add_ids(3);
  CHECK(ranked(r).ranked_prompt.size() < 64);
}

TEST_CASE("of a conversation a ranker sees the last user turn, and how many there are",
          "[convert]") {
  v1::GenerateRequest r;
  *r.mutable_chat() = chat_with("first");
  const auto add = [&](const char* role, const char* text) {
    v1::ChatMessage& message = *r.mutable_chat()->add_messages();
    message.set_role(role);
    message.set_content(text);
  };
  add("assistant", "a long answer");
  add("user", "second");
  CHECK(ranked(r).ranked_prompt == "second");
  CHECK(ranked(r).num_turns == 2);
  r.mutable_chat()->mutable_messages(2)->clear_content();
  for (const char* text : {"in ", "parts"})
    r.mutable_chat()->mutable_messages(2)->add_content_parts()->set_text(text);
  CHECK(ranked(r).ranked_prompt == "in parts");
}
