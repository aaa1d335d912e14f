// Conversations through a model's chat templates: what transformers makes of them, and the forms
// that templates expect.
#include "engine/text/chat_renderer.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/big_integers.h"
#include "engine/io/mapped_file.h"
#include "engine/text/chat_template_files.h"
#include "tests/support/shared_data.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using nlohmann::ordered_json;

namespace {

ChatRenderer renderer(const std::string& source) {
  return ChatRenderer({{"default", source, "test"}}, ordered_json::object());
}

Conversation conversation(const std::string& messages) {
  return {.messages = ordered_json::parse(messages)};
}

std::string text(const std::string& source, const Conversation& of) {
  const auto result = renderer(source).render(of);
  INFO(source << ": " << result.status().message());
  REQUIRE(result.ok());
  return *result;
}

std::string text(const std::string& source, const std::string& messages) {
  return text(source, conversation(messages));
}

Status refusal(const std::string& source, const Conversation& of) {
  return renderer(source).render(of).status();
}

Conversation of_vector(const ordered_json& vector) {
  Conversation out{.messages = vector["messages"]};
  for (const auto& [name, value] : vector["options"].items()) {
    if (name == "tools")
      out.tools = value;
    else if (name == "add_generation_prompt")
      out.add_generation_prompt = value.get<bool>();
    else if (name == "continue_final_message")
      out.continue_final_message = value.get<bool>();
    else
      out.variables[name] = value;
  }
  return out;
}

const std::string kUser = R"([{"role": "user", "content": "AB"}])";
const std::string kInParts =
    R"([{"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}])";
const std::string kCall =
    R"([{"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]}])";

}  // namespace

TEST_CASE("a model's files give the prompts that transformers gives", "[text][chat]") {
  const std::string path = source_path("tests/data/templates/conversations.json");
  const ordered_json vectors = ordered_json::parse(*read_text_file(path));
  REQUIRE(vectors.size() > 35);
  for (const ordered_json& vector : vectors) {
    CAPTURE(vector["name"].get<std::string>());
    const test::TempDir dir;
    std::filesystem::create_directory(dir.path() + "/additional_chat_templates");
    for (const auto& [name, content] : vector["files"].items())
      dir.write(name, content.is_string() ? content.get<std::string>() : content.dump());
    const auto chat = read_chat_templates(dir.path(), "");
    REQUIRE(chat.ok());
    REQUIRE(*chat != nullptr);
    const auto got = (*chat)->render(of_vector(vector));
    if (vector.contains("error"))
      CHECK_FALSE(got.ok());
    else
      CHECK((got.ok() ? *got : "error: " + got.status().message()) == vector["text"]);
  }
}

TEST_CASE("templates that know parts alone get parts", "[text][chat]") {
  for (const std::string body :
       {"{% for p in m.content %}{{ p.text }}{% endfor %}",
        "{% for p in m['content'] %}{{ p['text'] }}{% endfor %}",
        "{% set c = m.content %}{% for p in c %}{{ p.text }}{% endfor %}",
        "{% for p in m.content | selectattr('type', 'equalto', 'text') %}{{ p.text }}{% endfor %}",
        "{% with c = m.content %}{% for p in c %}{{ p.text }}{% endfor %}{% endwith %}",
        "{{ parts(*[m.content]) if false }}{% for p in m.content %}{{ p.text }}{% endfor %}",
        "{{ m.content | map(attribute='text') | join }}",
        "{{ m.content | join(attribute='text') }}",
        "{{ (m.content | first).text }}"
        "{% if m.content | length > 1 %}{{ m.content[1].text }}{% endif %}",
        "{% if m.content[0]['type'] == 'text' %}{% for p in m.content %}{{ p.text }}{% endfor %}"
        "{% endif %}",
        "{{ parts(m.content) }}", "{{ parts(of=m['content']) }}",
        "{% for p in m.get('content') %}{{ p.get('text') }}{% endfor %}",
        "{% if false %}{{ parts(messages[0].content) }}{% endif %}{{ parts(m.content) }}"}) {
    const std::string source =
        "{% macro parts(of) %}{% for p in of %}{{ p.text }}{% endfor %}{% endmacro %}"
        "{% for m in messages %}<{{ m.role }}>" +
        body + "{% endfor %}";
    CAPTURE(body);
    CHECK(text(source, kUser) == "<user>AB");
    CHECK(text(source, kInParts) == "<user>AB");
  }
  // Messages by other names, or without a loop.
  CHECK(text("{% for c in messages | map(attribute='content') %}{% for p in c %}{{ p.text }}"
             "{% endfor %}{% endfor %}",
             kUser) == "AB");
  CHECK(text("{% for m in messages %}{% set c, r = m.content, m.role %}{% for p in c %}{{ p.text }}"
             "{% endfor %}{% endfor %}",
             kUser) == "AB");
  CHECK(text("{% for p in messages[0].content %}{{ p.text }}{% endfor %}", kUser) == "AB");
  CHECK(text("{% set ns = namespace(all=messages) %}{% for m in ns.all %}{% for p in m.content %}"
             "{{ p.text }}{% endfor %}{% endfor %}",
             kUser) == "AB");
  CHECK(text("{% set rest = messages[1:] if messages[0].role == 'system' else messages %}"
             "{% for m in rest %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}",
             kUser) == "AB");
}

TEST_CASE("parts are found on whatever way the template takes to them", "[text][chat]") {
  const std::string in_messages = "{% for m in messages %}<{{ m.role }}>";
  for (const std::string& source :
       {in_messages + "{% for i in range(m.content | length) %}{% set p = m.content[i] %}"
                      "{{ p.text }}{% endfor %}{% endfor %}",
        in_messages + "{% for p in m.content | list %}{{ p.text }}{% endfor %}{% endfor %}",
        in_messages + "{% set key = 'content' %}{% for p in m[key] %}{{ p.text }}{% endfor %}"
                      "{% endfor %}",
        in_messages + "{% for k in ['content'] %}{% for p in m[k] %}{{ p.text }}{% endfor %}"
                      "{% endfor %}{% endfor %}",
        in_messages + "{% set d = {'c': m.content} %}{% for p in d.c %}{{ p.text }}{% endfor %}"
                      "{% endfor %}",
        in_messages + "{% set d = dict(c=m.content) %}{% for p in d.c %}{{ p.text }}{% endfor %}"
                      "{% endfor %}",
        "{% macro show() %}{% for p in varargs[0] %}{{ p.text }}{% endfor %}{% endmacro %}" +
            in_messages + "{{ show(m.content) }}{% endfor %}",
        std::string("{% for some in messages | batch(2) %}{% for m in some %}<{{ m.role }}>"
                    "{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}{% endfor %}"),
        std::string("{% for a, b in [(messages[0], 1)] %}<{{ a.role }}>{% for p in a.content %}"
                    "{{ p.text }}{% endfor %}{% endfor %}"),
        in_messages + "{% for p in (m | items | list)[1][1] %}{{ p.text }}{% endfor %}{% endfor %}",
        in_messages + "{% for p in m.values() | list | last %}{{ p | attr('get') and p['text'] }}"
                      "{% endfor %}{% endfor %}"}) {
    CAPTURE(source);
    CHECK(text(source, kUser) == "<user>AB");
    CHECK(text(source, kInParts) == "<user>AB");
  }
  const std::string one_part = R"([{"role": "user", "content": [{"type": "text", "text": "PQ"}]}])";
  for (const std::string p : {"m.content[0]", "m.content | first", "m.content | last",
                              "(m.content | reverse | list)[0]", "m.content[:1][0]"}) {
    const std::string source = in_messages + "{% set p = " + p + " %}{{ p.text }}{% endfor %}";
    CAPTURE(source);
    CHECK(text(source, kUser) == "<user>AB");
    CHECK(text(source, one_part) == "<user>PQ");
  }
}

TEST_CASE("a question for the type elsewhere says nothing of the loop over parts", "[text][chat]") {
  const std::string loop = "{% for p in m.content %}{{ p.text }}{% endfor %}";
  for (const std::string& body : std::vector<std::string>{
           "{% if m.content is iterable and m.content is not mapping %}" + loop +
               "{% else %}{{ m.content }}{% endif %}",
           "{% if m.content is mapping %}{{ m.content.text }}{% else %}" + loop + "{% endif %}",
           "{% if m.role == 'system' %}{% if m.content is string %}{{ m.content }}{% endif %}"
           "{% else %}" +
               loop + "{% endif %}",
           "{% if m.content is not string %}" + loop + "{% endif %}",
           "{% if m.content is sequence %}" + loop + "{% endif %}",
           "{% for p in m.content %}{% if p is mapping and p.type == 'text' %}{{ p.text }}{% endif "
           "%}"
           "{% endfor %}",
           "{% for p in m.content %}{{ '' + p.text }}{% endfor %}",
           "{% if m.content is string %}{{ raise_exception('parts, please') }}{% endif %}" +
               loop}) {
    CAPTURE(body);
    const std::string source = "{% for m in messages %}<{{ m.role }}>" + body + "{% endfor %}";
    CHECK(text(source, kUser) == "<user>AB");
    CHECK(text(source, R"([{"role": "user", "content": "user"}])") == "<user>user");
    CHECK(text(source, kInParts) == "<user>AB");
  }
  CHECK(text("{% for m in messages %}{% for p in m.content + [] %}{{ p.text }}{% endfor %};{% "
             "endfor %}",
             R"([{"role": "system", "content": "S"}, {"role": "user", "content": "AB"},
                 {"role": "user", "content": [{"type": "text", "text": "P"}]}])") == "S;AB;P;");
  // Each message has a form of its own.
  CHECK(text("{% for m in messages %}{% if m.role == 'system' %}{% if m.content is string %}"
             "[{{ m.content }}]{% endif %}{% else %}" +
                 loop + "{% endif %}{% endfor %}",
             R"([{"role": "system", "content": "S"}, {"role": "user", "content": "AB"}])") ==
        "[S]AB");
  // What comes out as it was sent stays so, whatever is asked of its characters before.
  CHECK(text("{% for m in messages %}{% for p in m.content %}{% if p.type == 'image' %}!{% endif %}"
             "{% endfor %}{% if m.content is string %}{{ m.content }}{% else %}parts{% endif %}"
             "{% endfor %}",
             kUser) == "AB");
  CHECK(text("{% for m in messages %}{% for c in m.content %}{{ c }}{% endfor %};{% endfor %}",
             kUser) == "AB;");
}

TEST_CASE("a template that knows parts of some messages alone prints the others' text",
          "[text][chat]") {
  const std::string mixed = R"([{"role": "system", "content": "S"}, {"role": "user", "content":
      [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}])";
  for (const std::string print :
       {"{{ m.content }}", "{{ m.content.strip() }}", "{{ m.content | trim }}",
        "{{ '' + m.content + '' }}", "{{ m['content'] ~ '' }}"})
    CHECK(text("{% for m in messages %}{% if m.role == 'user' %}{% for p in m.content %}"
               "{{ p.text }}{% endfor %}{% else %}[" +
                   print + "]{% endif %}{% endfor %}",
               mixed) == "[S]AB");
}

TEST_CASE("templates that know strings get strings", "[text][chat]") {
  for (const std::string body :
       {"{{ m.content }}", "{{ m.content | trim }}", "{{ '' + m['content'] }}",
        "{% for line in m.content.split('\\n') %}{{ line }}\n{% endfor %}",
        "{% if m.content is string %}{{ m.content }}{% endif %}"}) {
    CAPTURE(body);
    const std::string source = "{% for m in messages %}" + body + "{% endfor %}";
    CHECK_THAT(text(source, kUser), Catch::Matchers::StartsWith("AB"));
    CHECK_THAT(text(source, kInParts), Catch::Matchers::StartsWith("A\nB"));
  }
  // Loops over what is no content.
  CHECK(text("{% for m in messages %}{{ m.content }}{% for c in m.tool_calls %}{% endfor %}"
             "{% endfor %}{% for d in documents or [] %}{% for x in d.content %}{% endfor %}{% "
             "endfor %}",
             kInParts) == "A\nB");
}

TEST_CASE("templates that know both get what was sent", "[text][chat]") {
  const std::string loop = "{% for p in c %}[{{ p.text }}]{% endfor %}";
  for (const std::string& source :
       {"{% for m in messages %}{% set c = m.content %}{% if c is string %}{{ c }}{% else %}" +
            loop + "{% endif %}{% endfor %}",
        "{% macro show(c) %}{% if c is not string %}" + loop +
            "{% else %}{{ c }}{% endif %}{% endmacro %}"
            "{% for m in messages %}{{ show(m.content) }}{% endfor %}"}) {
    CHECK(text(source, kUser) == "AB");
    CHECK(text(source, kInParts) == "[A][B]");
  }
  // How the system message is looked at says nothing of the others.
  const std::string source =
      "{% if messages[0].content is string %}{% endif %}{% for m in messages %}"
      "{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}";
  CHECK(text(source, kUser) == "AB");
}

TEST_CASE("a null content is none, and prints as nothing", "[text][chat]") {
  const std::string calls = "{% for c in m.tool_calls %}{{ c.function.name }}{% endfor %}";
  for (const std::string ask :
       {"m.content is none", "m['content'] == none", "none == m.content",
        "not (m.content is not none)", "m.content in [none, 'x']", "m.content is not string",
        "m.content is not iterable", "m.content is sameas none", "none in m.values()",
        "[m.content] | select('none') | list", "[m] | selectattr('content', 'none') | list",
        "(m | attr('content')) is none or dict(m).content is none"})
    CHECK(text("{% for m in messages %}{% if " + ask + " %}" + calls +
                   "{% else %}{{ m.content }};{% endif %}{% endfor %}",
               kCall) == "q;f");
  // Others would print "None", or fail.
  for (const std::string print :
       {"{{ m.content }}", "{{ m.role + m.content }}", "{{ m.content | trim }}",
        "{{ m.content | length }}{{ m.content[0] }}{{ m.content ~ '' }}{{ 'a' in m.content }}",
        "{% if m.content.strip() %}{{ m.content.split('x')[0] }}{% endif %}",
        "{% if m.content is defined %}{{ m.content }}{% endif %}"})
    CHECK_THAT(text("{% for m in messages %}" + print + calls + "{% endfor %}", kCall),
               !Contains("None"));
  CHECK(text("{% for m in messages %}{{ m.content | tojson }},{% endfor %}", kCall) ==
        "\"q\",null,");
  CHECK(text("{% for m in messages %}{% set c, r = m.content, m.role %}{% if c is string %}{{ c }}"
             "{% else %}" +
                 calls + "{% endif %}{% endfor %}",
             kCall) == "qf");
  CHECK(text("{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}" + calls +
                 "{% endfor %}",
             kCall) == "qf");
}

TEST_CASE("arguments are an object, or text where the template prints them", "[text][chat]") {
  const auto printed = [](const std::string& print, const std::string& messages = kCall) {
    return text(
        "{% for m in messages %}{% for c in m.tool_calls %}{% set a = c.function.arguments %}" +
            print + "{% endfor %}{% endfor %}",
        messages);
  };
  std::string as_object = kCall;
  as_object.replace(as_object.find(R"("{\"a\": 1}")"), 12, R"({"a":1})");
  for (const std::string& messages : {kCall, as_object}) {
    CHECK(printed("{{ c.function.arguments | tojson }}", messages) == R"({"a": 1})");
    CHECK(printed("{% for k, v in a.items() %}{{ k }}={{ v }}{% endfor %}", messages) == "a=1");
    CHECK(printed("{% for k, v in a | items %}{{ k }}={{ v }}{% endfor %}", messages) == "a=1");
    CHECK(printed("{{ c.function | tojson }}", messages) ==
          R"({"name": "f", "arguments": {"a": 1}})");
    CHECK(printed("{% if a is string %}{{ a }}{% else %}{{ a | tojson }}{% endif %}", messages) ==
          R"({"a": 1})");
    CHECK(printed("{{ '<' + c['function']['arguments'] + '>' }}", messages) == R"(<{"a": 1}>)");
    CHECK(printed("{{ a }}", messages) == R"({"a": 1})");
    CHECK(printed("{{ a ~ '' }}{{ a | trim }}", messages) == R"({"a": 1}{"a": 1})");
    CHECK(printed("{{ '%s|%s' % (c.function.name, a) }}", messages) == R"(f|{"a": 1})");
    CHECK(printed("{{ '%s %s' | format(c.function.name, a) }}", messages) == R"(f {"a": 1})");
    CHECK(printed("{{ '{}({})'.format(c.function.name, a) }}", messages) == R"(f({"a": 1}))");
    CHECK(printed("{{ '{:>9}'.format(a) }}", messages) == R"( {"a": 1})");
    CHECK(printed("{{ ['x', a] | join(',') }}{{ ','.join([a]) }}", messages) ==
          R"(x,{"a": 1}{"a": 1})");
    CHECK(printed("{{ a.strip() }}{{ a | string | upper }}", messages) == R"({"a": 1}{"A": 1})");
    CHECK(printed("{% if a is string %}{{ a }}{% endif %}", messages) == R"({"a": 1})");
    CHECK(printed("{% if a is not string %}{{ raise_exception('text') }}{% endif %}{{ a }}",
                  messages) == R"({"a": 1})");
    CHECK(printed("{{ a.a }}{{ a }}", messages) == R"(1{"a": 1})");
  }
  // Text stays as it was sent.
  std::string spaced = kCall;
  spaced.replace(spaced.find(R"({\"a\": 1})"), 10, R"({ \"a\" :1.50 })");
  CHECK(printed("{{ '%s' % a }}{{ a | tojson }}", spaced) == R"({ "a" :1.50 }{"a": 1.5})");
  const std::string print_calls =
      "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}"
      "{% endfor %}";
  for (const auto& [arguments, why] : {std::pair{R"({\"x\": NaN})", "NaN"},
                                       {R"({\"x\": [1e400]})", "1e400"},
                                       {R"({\"x\": -Infinity})", "-Infinity"},
                                       {R"({\"NaN\": 1,})", "JSON object"}}) {
    std::string bad = kCall;
    bad.replace(bad.find(R"({\"a\": 1})"), 10, arguments);
    CAPTURE(bad);
    CHECK_THAT(refusal(print_calls, conversation(bad)).message(),
               Contains("messages[1]") && Contains(why));
  }
  std::string broken = kCall;
  broken.replace(broken.find(R"("{\"a\": 1}")"), 12, R"("[1]")");
  CHECK_THAT(refusal(print_calls, conversation(broken)).message(),
             Contains("messages[1]") && Contains("arguments"));
}

TEST_CASE("integers of any size are printed as they were written", "[text][chat]") {
  const std::string big = "18446744073709551616";
  const auto printed = [&](const std::string& print, const std::string& number) {
    Conversation c = conversation(kUser);
    c.variables = ordered_json::parse(quote_big_integers("{\"x\": " + number + "}"));
    return renderer(print).render(c);
  };
  for (const std::string& number :
       {big, "-" + big, std::string("9223372036854775808"), std::string("18446744073709551615"),
        std::string("-9223372036854775809"), std::string(400, '7')}) {
    CHECK(*printed("{{ x }} {{ [x] }} {{ x | tojson }} {{ '%s' % x }}", number) ==
          number + " [" + number + "] " + number + " " + number);
    CHECK(*printed("{{ x is number and x is integer and x == x and not x is string }}", number) ==
          "True");
    for (const std::string computed : {"x + 1", "x > 1", "-x", "'%d' % x", "x // 2", "x % 2"})
      CHECK_THAT(printed("{{ " + computed + " }}", number).status().message(),
                 Contains(number) && Contains("64 bits"));
  }
  std::string call = kCall;
  call.replace(call.find(R"({\"a\": 1})"), 10, R"({\"a\": [)" + big + "]}");
  CHECK(text("{% for m in messages %}{% for c in m.tool_calls %}{{ c.function.arguments }} "
             "{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}",
             call) == "{\"a\": [" + big + "]} {\"a\": [" + big + "]}");
}

TEST_CASE("tools without a place, and variables of the conversation, are refused", "[text][chat]") {
  Conversation with_tools = conversation(kUser);
  with_tools.tools = ordered_json::parse(R"([{"type": "function", "function": {"name": "f"}}])");
  const Status no_place = refusal("{{ messages[0].content }}", with_tools);
  CHECK(no_place.code() == Code::kFailedPrecondition);
  CHECK_THAT(no_place.message(), Contains("no place for tools"));
  // It has one, whatever it prints this time, and whatever it does without tools.
  CHECK(text("{% if tools and false %}{% endif %}{{ messages[0].content }}", with_tools) == "AB");
  CHECK(text("{% if not tools %}{{ raise_exception('none') }}{% endif %}ok", with_tools) == "ok");

  for (const char* name : {"messages", "tools", "add_generation_prompt", "continue_final_message",
                           "chat_template", "tokenize"}) {
    Conversation c = conversation(kUser);
    c.variables[name] = nullptr;
    CHECK(text("{{ messages[0].content }}", c) == "AB");
    c.variables[name] = true;
    CHECK_THAT(refusal("{{ messages[0].content }}", c).message(),
               Contains("'" + std::string(name) + "' is reserved"));
  }
}

TEST_CASE("a template that cannot be compiled costs what needs it", "[text][chat]") {
  const std::vector<ChatTemplateSource> sources = {{"default", "{{ messages[0].content }}", "d"},
                                                   {"tool_use", "{% if %}", "t.jinja"}};
  const ChatRenderer chat(sources, ordered_json::object());
  REQUIRE(chat.problems().size() == 1);
  CHECK_THAT(chat.problems()[0].message(), Contains("t.jinja") && Contains("line 1"));
  Conversation c = conversation(kUser);
  CHECK(*chat.render(c) == "AB");
  c.tools = ordered_json::array({ordered_json::object()});
  CHECK(chat.render(c).status().code() == Code::kFailedPrecondition);
  CHECK_THAT(chat.render(c).status().message(), Contains("t.jinja") && Contains("line 1"));

  CHECK(renderer("\xFF").problems().size() == 1);
  const ChatRenderer nameless({{"rag", "x", "r"}}, ordered_json::object());
  CHECK_THAT(nameless.problems().at(0).message(), Contains("(rag)"));
}

TEST_CASE("real templates print what the reference prints, through the renderer", "[text][chat]") {
  const auto folder = test::shared_data("data/templates", "real chat templates");
  if (!folder) return;
  const auto read = [](const std::string& path) {
    return ordered_json::parse(*read_text_file(path));
  };
  const ordered_json input = read(*folder + "/expected/conversations.json");
  for (const auto& entry : std::filesystem::directory_iterator(*folder + "/llama.cpp")) {
    if (entry.path().extension() != ".jinja") continue;
    const std::string name = entry.path().stem();
    CAPTURE(name);
    const ChatRenderer chat({{"default", *read_text_file(entry.path()), name}},
                            {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
    REQUIRE(chat.find(false).ok());
    const bool takes_tools = (*chat.find(false))->uses_tools();
    const ordered_json expected = read(*folder + "/expected/" + name + ".json");
    for (const auto& [key, wanted] : expected.items()) {
      CAPTURE(key);
      ordered_json options = input["conversations"][key];
      const ordered_json messages = options["messages"];
      options.erase("messages");
      options["now"] = 1767323045;  // 2026-01-02 03:04:05 UTC
      Conversation c = of_vector({{"messages", messages}, {"options", options}});
      if (!c.add_generation_prompt) c.add_generation_prompt = true;
      const auto got = chat.render(c);
      if (wanted.contains("error") || (!c.tools.empty() && !takes_tools))
        CHECK_FALSE(got.ok());
      else
        CHECK((got.ok() ? *got : got.status().message()) == wanted["text"].get<std::string>());
    }
    if (name != "deepseek-ai-DeepSeek-R1-Distill-Llama-8B") continue;
    // It asks whether the content is none, and puts the arguments between texts.
    const auto calls = chat.render(conversation(kCall));
    REQUIRE(calls.ok());
    CHECK_THAT(*calls, Contains("function<｜tool▁sep｜>f\n```json\n{\"a\": 1}\n```"));
  }
}
