// Chat templates: the language, its limits, and what real templates print.
#include "engine/text/chat_template.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/io/checkpoint.h"
#include "engine/io/mapped_file.h"
#include "tests/support/shared_data.h"
#include "tests/support/source_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using nlohmann::ordered_json;
using json = nlohmann::ordered_json;

namespace {

constexpr int64_t kNow = 1767323045;  // 2026-01-02 03:04:05 UTC

Result<std::string> render(const std::string& source,
                           const ordered_json& variables = ordered_json::object()) {
  auto parsed = ChatTemplate::parse(source);
  if (!parsed.ok()) return parsed.status();
  return parsed->render(ordered_json::array(), false, variables);
}

/// What `source` prints; fails the test where it does not.
std::string text(const std::string& source,
                 const ordered_json& variables = ordered_json::object()) {
  const auto result = render(source, variables);
  INFO(source << ": " << (result.ok() ? "" : result.status().message()));
  REQUIRE(result.ok());
  return *result;
}

/// The message with which `source` is refused.
std::string refusal(const std::string& source, Code code = Code::kInvalidArgument) {
  const auto result = render(source);
  INFO(source << " gave " << (result.ok() ? *result : result.status().message()));
  REQUIRE_FALSE(result.ok());
  REQUIRE(result.status().code() == code);
  return result.status().message();
}

std::string bundled_template() {
  const auto config = read_json_file(source_path("models/tern-stories/tokenizer_config.json"));
  REQUIRE(config.ok());
  return (*config)["chat_template"];
}

}  // namespace

TEST_CASE("the bundled model's template", "[text][chat_template]") {
  const auto chat = ChatTemplate::parse(bundled_template());
  REQUIRE(chat.ok());
  const json variables = {{"bos_token", "<|bos|>"}, {"eos_token", "<|end|>"}};
  const auto message = [](const char* role, const char* content) {
    return json{{"role", role}, {"content", content}};
  };

  CHECK(*chat->render(json::array({message("user", "Hi")}), true, variables) ==
        "<|bos|><|user|>Hi<|end|><|assistant|>");
  CHECK(*chat->render(json::array({message("user", "Hi")}), false, variables) ==
        "<|bos|><|user|>Hi<|end|>");
  CHECK(
      *chat->render(json::array({message("system", " Be brief.\n"), message("user", "\tOne? "),
                                 message("assistant", "Yes\n\n"), message("user", "Two — 三 😀?")}),
                    true, variables) ==
      "<|bos|><|system|>Be brief.<|end|><|user|>One?<|end|><|assistant|>Yes<|end|><|user|>Two — 三 "
      "😀?<|end|><|assistant|>");
  CHECK(*chat->render(json::array(), true, variables) == "<|bos|><|assistant|>");
  CHECK(*chat->render(json::array(), false, json::object()) == "");

  const Status unknown =
      chat->render(json::array({message("narrator", "x")}), true, variables).status();
  CHECK(unknown.code() == Code::kInvalidArgument);
  CHECK(unknown.message() == "unknown role: narrator");
  CHECK_FALSE(chat->render(json::array({json{{"content", "x"}}}), true, variables).ok());
  CHECK_FALSE(chat->render(json::object(), true, variables).ok());
  CHECK_FALSE(chat->render(json::array(), true, json::array()).ok());
  CHECK_FALSE(chat->render(json::array({message("user", "\xff")}), true, variables).ok());
}

TEST_CASE("white space around tags", "[text][chat_template]") {
  CHECK(text("a\n  {% if true %}\n  b\n  {% endif %}\nc\n") == "a\n  b\nc");
  CHECK(text("a  {{- 1 -}}  b") == "a1b");
  CHECK(text("a\n\n{%- if true -%}\n\n b {%- endif %}\nc") == "abc");
  CHECK(text("  {{ 1 }}\n  {{ 2 }}") == "  1\n  2");
  CHECK(text("  {%+ if true %}x{% endif +%}\ny") == "  x\ny");
  CHECK(text("x  {% if true %}y{% endif %}") == "x  y");
  CHECK(text("{# note #}\na{#- other -#}  b") == "ab");
  CHECK(text("a\r\nb\rc") == "a\nb\nc");
  CHECK(text("a\n\n") == "a\n");
  CHECK(text("{% if true %}\n  {% if true %}\nx{% endif %}{% endif %}") == "x");
  CHECK(text("{% raw %}{{ x }} {% if %}{% endraw %}!") == "{{ x }} {% if %}!");
  CHECK(text("{{ '}}' }}{{ {'a': {'b': 1}}['a']['b'] }}") == "}}1");
  CHECK(text("{ { {a} %}") == "{ { {a} %}");
}

TEST_CASE("expressions", "[text][chat_template]") {
  const ordered_json v = {{"n", 7},
                          {"s", "Köln"},
                          {"list", {1, 2, 3, 4}},
                          {"d", {{"b", 1}, {"a", nullptr}}},
                          {"none", nullptr}};
  const std::pair<const char*, const char*> cases[] = {
      {"1 + 2 * 3 - 4", "3"},
      {"7 // 2 ~ ' ' ~ -7 // 2", "3 -4"},
      {"-7 % 3 ~ ' ' ~ 7 % -3", "2 -2"},
      {"7 / 2", "3.5"},
      {"4 / 2", "2.0"},
      {"2 ** 10", "1024"},
      {"2 ** -1", "0.5"},
      {"1e3 ~ ' ' ~ 1.5e-7 ~ ' ' ~ 1e16 ~ ' ' ~ 123456789.0", "1000.0 1.5e-07 1e+16 123456789.0"},
      {"1_000", "1000"},
      {"'a' 'b' ~ 1 ~ none ~ true", "ab1NoneTrue"},
      {"'ab' * 2 ~ 2 * 'c'", "ababcc"},
      {"[1] + [2] == [1, 2]", "True"},
      {"1 < 2 < 3", "True"},
      {"1 < 3 < 2", "False"},
      {"'a' < 'b'", "True"},
      {"1 == 1.0 and true == 1", "True"},
      {"'1' == 1", "False"},
      {"not 1 == 2", "True"},
      {"1 in [1] and 4 not in [1]", "True"},
      {"'öl' in s", "True"},
      {"'b' in d", "True"},
      {"0 or '' or 'x'", "x"},
      {"1 and 0", "0"},
      {"'y' if n > 5 else 'n'", "y"},
      {"'y' if n > 9", ""},
      {"1 if false else 2 if false else 3", "3"},
      {"s[1] ~ s[-1]", "ön"},
      {"s[1:3]", "öl"},
      {"s[::-1]", "nlöK"},
      {"list[1:]", "[2, 3, 4]"},
      {"list[:-1]", "[1, 2, 3]"},
      {"list[::2]", "[1, 3]"},
      {"list[-9:9]", "[1, 2, 3, 4]"},
      {"list[::-2]", "[4, 2]"},
      {"list[3:1:-1]", "[4, 3]"},
      {"list[9:]", "[]"},
      {"d.b ~ d['b'] ~ d.get('x', 5) ~ d.get('x')", "115None"},
      {"list.0", "1"},
      {"d", "{'b': 1, 'a': None}"},
      {"(1, 'x')", "(1, 'x')"},
      {"(1,)", "(1,)"},
      {"()", "()"},
      {"1, 2", "(1, 2)"},
      {"[\"it's\", 'a\\n']", "[\"it's\", 'a\\n']"},
      {"'\\u00e9\\x41\\\\\\d\\''", "éA\\\\d'"},
      {"missing", ""},
      {"missing is defined or d.zz is defined", "False"},
      {"d['zz'] | default('q')", "q"},
      {"-2 | abs", "2"},
      {"-n ~ +n", "-77"},
      {"(n)", "7"},
      {"n.x is undefined", "True"},
      {"none is none", "True"},
      {"{1: 2, true: 3, '1': 4}[1] ~ {0: 'a'} ~ {7: 1} | tojson", "3{0: 'a'}{\"7\": 1}"},
  };
  for (const auto& [source, expected] : cases)
    CHECK(text("{{ " + std::string(source) + " }}", v) == expected);
}

TEST_CASE("statements", "[text][chat_template]") {
  CHECK(text("{% for x in [1,2,3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last "
             "}}{{ loop.revindex }};{% endfor %}") == "10TrueFalse3;21FalseFalse2;32FalseTrue1;");
  CHECK(text("{% for x in [] %}x{% else %}none{% endfor %}") == "none");
  CHECK(text("{% for x in [1,2,3,4] if x is even %}{{ x }}/{{ loop.length }} {% endfor %}") ==
        "2/2 4/2 ");
  CHECK(text("{% for k, v in {'b': 1, 'a': 2}.items() %}{{ k }}{{ v }}{% endfor %}") == "b1a2");
  CHECK(text("{% for x in range(9) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% "
             "break %}{% endif %}{{ x }}{% endfor %}") == "02");
  CHECK(text("{% for x in [1,2] %}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') "
             "}}{% endfor %}") == "2a1b");
  CHECK(
      text("{% set x = 1 %}{% for i in [1,2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}") ==
      "15151");
  CHECK(text("{% if true %}{% set x = 2 %}{% endif %}{{ x }}") == "2");
  CHECK(text("{% set ns = namespace(n=0, l=[]) %}{% for i in range(4) %}{% set ns.n = ns.n + i "
             "%}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.n }}{{ ns.l }}") == "6[0, 1, 2, 3]");
  CHECK(text("{% set a, b = 1, 2 %}{{ b }}{{ a }}") == "21");
  CHECK(text("{% set x %}a{{ 1 }}{% endset %}[{{ x }}]{% set y | upper %}q{% endset %}{{ y }}") ==
        "[a1]Q");
  CHECK(text("{% filter upper | trim %} ab {% endfilter %}") == "AB");
  CHECK(text("{% if 0 %}{{ 1 | frobnicate }}{% endif %}") == "");
  CHECK(text("{% if 0 %}a{% elif '' %}b{% elif 1 %}c{% else %}d{% endif %}") == "c");
  CHECK(text("{% generation %}{{ 1 }}{% endgeneration %}") == "1");
  CHECK(text("{% macro f(a, c, b='x') %}{{ a }}{{ b }}{{ c is defined }}{% endmacro %}{{ f(1) }}{{ "
             "f(1, c=2) }}{{ f(b=3, a=4) | upper }}") == "1xFalse1xTrue43FALSE");
  CHECK(text("{% macro down(n) %}{{ n }}{% if n > 0 %}{{ down(n - 1) }}{% endif %}{% endmacro %}{{ "
             "down(3) }}") == "3210");
  CHECK(text("{% set g = 1 %}{% macro f() %}{{ g }}{{ i is defined }}{% endmacro %}{% for i in [1] "
             "%}{{ f() }}{% endfor %}{% set g = 2 %}{{ f() }}") == "1False2False");
}

TEST_CASE("filters, tests and methods", "[text][chat_template]") {
  const ordered_json v = {{"list", {3, 1, 2}},
                          {"d", {{"b", 1}, {"A", 2}}},
                          {"people", {{{"n", "x"}, {"a", 1}}, {{"n", "y"}, {"a", 0}}}}};
  const std::pair<const char*, const char*> cases[] = {
      {"'  a '|trim ~ 'xax'|trim('x')", "aa"},
      {"'Äß' | upper ~ 'ÄЖ' | lower", "ÄSSäж"},
      {"'ab cd' | title ~ 'aB' | capitalize", "Ab CdAb"},
      {"[1, 'a'] | join('-') ~ 'ab' | join(',')", "1-aa,b"},
      {"people | join('', attribute='n')", "xy"},
      {"'三ab' | length ~ list | length ~ d | count", "332"},
      {"list | first ~ list | last", "32"},
      {"[] | first", ""},
      {"list | sort ~ (list | sort(reverse=true))", "[1, 2, 3][3, 2, 1]"},
      {"d | dictsort", "[('A', 2), ('b', 1)]"},
      {"list | max ~ list | min ~ list | sum", "316"},
      {"people | map(attribute='n') | list", "['x', 'y']"},
      {"['a'] | map('upper') | join", "A"},
      {"people | selectattr('a') | map(attribute='n') | join", "x"},
      {"people | rejectattr('a', 'equalto', 1) | map(attribute='n') | join", "y"},
      {"list | select('odd') | list ~ list | reject('odd') | list", "[3, 1][2]"},
      {"list | reverse | list ~ 'abc' | reverse", "[2, 1, 3]cba"},
      {"[1, 1, 2] | unique | list", "[1, 2]"},
      {"'3' | int + '2.5' | float", "5.5"},
      {"'x' | int(9) ~ 3.9 | int ~ 'z' | float", "930.0"},
      {"2.5 | round ~ 2.44 | round(1) ~ 2.1 | round(method='ceil')", "2.02.43.0"},
      {"'a\nb\n\nc' | indent(2) ~ 'a\nb' | indent(1, true)", "a\n  b\n\n  c a\n b"},
      {"'aXbX' | replace('X', '-', 1)", "a-bX"},
      {"'<&>' | e", "&lt;&amp;&gt;"},
      {"none | default('x') ~ none | default('x', true)", "Nonex"},
      {"1 | string + '2'", "12"},
      {"'a b' | wordcount", "2"},
      {"{'k': [1, 2.0, none, true, 'ö\"\\n\\x01']} | tojson",
       "{\"k\": [1, 2.0, null, true, \"ö\\\"\\n\\u0001\"]}"},
      {"[1, {'b': [], 'a': {}}] | tojson(indent=2)",
       "[\n  1,\n  {\n    \"b\": [],\n    \"a\": {}\n  }\n]"},
      {"{'b': 1, 'a': 'é😀'} | tojson(sort_keys=true, ensure_ascii=true, separators=(',', ':'))",
       "{\"a\":\"\\u00e9\\ud83d\\ude00\",\"b\":1}"},
      {"' a b '.strip() ~ 'xa'.lstrip('x') ~ 'ax'.rstrip('x')", "a baa"},
      {"'a,b,c'.split(',') ~ 'a  b'.split() ~ 'a,b,c'.split(',', 1)",
       "['a', 'b', 'c']['a', 'b']['a', 'b,c']"},
      {"'a,b,c'.rsplit(',', 1) ~ 'a b c'.rsplit(none, 1)", "['a,b', 'c']['a b', 'c']"},
      {"'abc'.startswith('ab') and 'abc'.endswith(('x', 'c'))", "True"},
      {"'aab'.replace('a', 'x') ~ 'ab'.replace('', '-')", "xxb-a-b-"},
      {"'öab'.find('b') ~ 'a'.find('z') ~ 'aa'.count('a')", "2-12"},
      {"'-'.join(['a', 'b']) ~ 'a\nb'.splitlines()", "a-b['a', 'b']"},
      {"'12'.isdigit() and 'ab'.isalpha() and 'AB'.isupper()", "True"},
      {"d.keys() | list ~ d.values() | list ~ d.items() | list",
       "['b', 'A'][1, 2][('b', 1), ('A', 2)]"},
      {"d | items | list | length", "2"},
      {"range(3) | list ~ range(5, 0, -2) | list", "[0, 1, 2][5, 3, 1]"},
      {"dict(a=1)", "{'a': 1}"},
      {"d is mapping and list is sequence and 'a' is string and 1 is number and 1.5 is float and 1 "
       "is integer and true is boolean and true is not integer",
       "True"},
      {"'a' is iterable and d.items() is iterable and d.items() is not sequence", "True"},
      {"3 is odd and 4 is divisibleby 2 and 3 is gt(2) and 1 is in [1]", "True"},
      {"'a' is lower and 1 is eq 1 and none is not true and range is callable", "True"},
  };
  for (const auto& [source, expected] : cases) {
    CHECK(text("{{ " + std::string(source) + " }}", v) == expected);
  }
  CHECK(text("{{ strftime_now('%d %b %Y %H:%M') }}", {{"now", kNow}}) == "02 Jan 2026 03:04");
  CHECK(text("{{ strftime_now('%Y') | length }}") == "4");
  CHECK(text("{{ tools | tojson }}", {{"tools", {{{"type", "f"}, {"alpha", 1}}}}}) ==
        R"([{"type": "f", "alpha": 1}])");
}

TEST_CASE("mistakes are refused with their line", "[text][chat_template][hostile]") {
  for (const char* source : {"{{",
                             "{{ 1",
                             "{% if",
                             "{% if 1 %}",
                             "{% endif %}",
                             "{% for x %}{% endfor %}",
                             "{{ 1 + }}",
                             "{{ (1 }}",
                             "{{ [1 }}",
                             "{{ 'a }}",
                             "{{ a b }}",
                             "{# x",
                             "{% raw %}",
                             "{{ 1 if }}",
                             "{% set 1 = 2 %}",
                             "{{ a. }}",
                             "{{ a[1:2:3:4] }}",
                             "{% macro f(a, b=1, c) %}{% endmacro %}",
                             "{% macro f(a, a) %}{% endmacro %}",
                             "{% call 1 %}{% endcall %}",
                             "{{ f(*a, *b) }}",
                             "{% else %}",
                             "{% break %}",
                             "{{ f(a=1, 2) }}",
                             "{{ 1x }}",
                             "{{ } }}",
                             "{{ $ }}",
                             "{{ 99999999999999999999 }}",
                             "{{ '\\ud800' }}",
                             "{% macro f(%}{% endmacro %}",
                             "{% if 1 %}{% endfor %}",
                             "{% %}",
                             "{{ }}"}) {
    CAPTURE(source);
    const auto parsed = ChatTemplate::parse(source);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.status().code() == Code::kInvalidArgument);
    CHECK_THAT(parsed.status().message(), Contains("line 1"));
  }
  CHECK_THAT(ChatTemplate::parse("a\nb\n\n{{ 1 + }}").status().message(), Contains("line 4"));
  CHECK_THAT(ChatTemplate::parse("{{ '\xff' }}").status().message(), Contains("UTF-8"));

  CHECK_THAT(refusal("\n\n{{ missing.x }}"),
             Contains("line 3") && Contains("'missing' is undefined"));
  CHECK_THAT(refusal("{{ {'a': 1}.b.c }}"), Contains("'dict object' has no attribute 'b'"));
  CHECK_THAT(refusal("{{ 1 + 'a' }}"), Contains("line 1") && Contains("'int' and 'str'"));
  CHECK_THAT(refusal("{{ 1 // 0 }}"), Contains("zero"));
  CHECK_THAT(refusal("{{ 9223372036854775807 + 1 }}"), Contains("64 bits"));
  CHECK_THAT(refusal("{{ (-9223372036854775807 - 1) // -1 }}"), Contains("64 bits"));
  CHECK_THAT(refusal("{% for x in 3 %}{% endfor %}"), Contains("not iterable"));
  CHECK_THAT(refusal("{% for x in none %}{% endfor %}"),
             Contains("'NoneType' object is not iterable"));
  CHECK_THAT(refusal("{{ [1].append(2) }}"),
             Contains("access to attribute 'append' of 'list' object is unsafe"));
  CHECK_THAT(refusal("{{ {}.pop('a') }}"), Contains("unsafe"));
  CHECK_THAT(refusal("{% set x = 1 %}{% set x.y = 1 %}"), Contains("non-namespace"));
  CHECK_THAT(refusal("{{ missing | tojson }}"), Contains("not JSON serializable"));
  CHECK_THAT(refusal("{{ [1] | map('string') | tojson }}"),
             Contains("generator is not JSON serializable"));
  CHECK_THAT(refusal("{{ 'a'.split('') }}"), Contains("empty separator"));
  CHECK_THAT(refusal("{{ 'a'.strip(1, 2) }}"), Contains("strip()"));
  CHECK_THAT(refusal("{{ 1() }}"), Contains("not callable"));
  CHECK_THAT(refusal("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}"), Contains("'f'"));
  CHECK_THAT(refusal("{% macro f(a) %}{% endmacro %}{{ f(1, a=2) }}"), Contains("'a'"));
  CHECK_THAT(refusal("{% set a, b = [1] %}"), Contains("unpack"));
  CHECK_THAT(refusal("{{ 1 < 'a' }}"), Contains("cannot order"));
  CHECK_THAT(refusal("{{ range }}"), Contains("no text"));
  CHECK(refusal(
            "{% macro f() %}{{ raise_exception('no: ' ~ 7) }}{% endmacro %}\n{{ f() | upper }}") ==
        "no: 7");
}

TEST_CASE("what tern does not know is refused by name and line", "[text][chat_template]") {
  for (const auto& [source, named] : std::vector<std::pair<std::string, std::string>>{
           {"\n{% include 'x' %}", "{% include %}"},
           {"\n{% import 'x' as y %}", "{% import %}"},
           {"\n{% extends 'x' %}", "{% extends %}"},
           {"\n{% do 1 %}", "'do'"},
           {"\n{% autoescape true %}{% endautoescape %}", "'autoescape'"},
           {"\n{{ 1 | frobnicate }}", "'frobnicate'"},
           {"\n{{ 1 is frobnicated }}", "'frobnicated'"},
           {"\n{% for x in y %}{{ 1 | frobnicate }}{% endfor %}", "'frobnicate'"},
           {"\n{{ [1, 2] | random }}", "random"},
           {"\n{{ lipsum() }}", "lipsum"},
           {"\n{{ 'x'.encode() }}", "encode"},
           {"\n{{ '\\N{DASH}' }}", "\\N"},
           {"\n{{ [1] | map('frobnicate') | list }}", "'frobnicate'"}}) {
    CAPTURE(source);
    const std::string message = refusal(source, Code::kUnimplemented);
    CHECK_THAT(message, Contains(named) && Contains("line 2"));
  }
  // What is never reached harms nobody, as with Jinja.
  CHECK(text("{% if 0 %}{% include 'x' %}{{ 1 | frobnicate }}{% endif %}ok") == "ok");
  CHECK(text("{{ 'ok' if 1 else 1 | frobnicate }}") == "ok");
}

TEST_CASE("hostile templates are stopped", "[text][chat_template][hostile]") {
  const std::string forever = "{% for a in range(100000) %}{% for b in range(100000) %}";
  CHECK_THAT(refusal(forever + "{% endfor %}{% endfor %}"), Contains("steps"));
  CHECK_THAT(refusal("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), Contains("recurses"));
  CHECK_THAT(refusal("{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ "
                     "ns.s %}{% endfor %}"),
             Contains("bytes"));
  CHECK_THAT(refusal("{{ 'x' * 9223372036854775807 }}"), Contains("limit"));
  CHECK_THAT(refusal("{{ [0] * 99999999999 }}"), Contains("limit"));
  CHECK_THAT(refusal("{% for a in range(100000) %}{{ 'x' * 100000 }}{% endfor %}"),
             Contains("bytes"));
  CHECK_THAT(refusal("{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] "
                     "%}{% endfor %}"),
             Contains("nested"));
  CHECK_THAT(refusal("{% set ns = namespace(l=['abcdefgh']) %}{% for i in range(100) %}{% set ns.l "
                     "= [ns.l, ns.l] %}{% endfor %}"),
             Contains("exceeds"));
  CHECK_THAT(refusal("{{ 'ab'.replace('', 'x' * 60000000) }}"), Contains("exceeds"));
  CHECK_THAT(refusal("{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}"),
             Contains("nested"));
  CHECK_THAT(refusal("{% set a = namespace(x='y' * 1000) %}{% for i in range(60) %}{% set a = "
                     "namespace(l=a, r=a) %}{{ a }}{% endfor %}{% set ns = namespace(a=a) %}{% for "
                     "i in range(60) %}{% set ns.a = namespace(l=ns.a, r=ns.a) %}{% endfor %}{{ ns "
                     "}}"),
             Contains("exceeds"));
  for (const char* source :
       {"{{ '%999999999d' % 1 }}",
        "{{ '%.999999999f' % 1.0 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%.999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:.999999999f}'.format(1.0) }}",
        "{{ '{:0999999999,}'.format(1) }}",
        "{{ '{:{}}'.format(1, 999999999) }}",
        "{{ 'x' | center(999999999) }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ 'x'.zfill(999999999) }}",
        "{{ '\t'.expandtabs(999999999) }}",
        "{{ ('\t' * 60000).expandtabs(60000) }}",
        "{{ ('a\n' * 60000) | indent(60000) }}",
        "{{ [1] | batch(999999999, 0) | list }}",
        "{{ [1] | slice(999999999) | list }}",
        "{{ ['x' * 1000000] * 100 | join }}",
        "{{ ['x' * 1000000] * 100 | join('-') }}",
        "{{ ('x' * 1000000).join('y' * 1000) }}",
        "{{ ('x' * 60000000) | list | length }}",
        "{{ ('x ' * 30000000).split() | length }}",
        "{{ ('x ' * 30000000) | wordwrap(1) }}",
        "{{ ('&' * 30000000) | e }}",
        "{{ ('a' * 60000000).translate({97: 'bb'}) }}",
        "{{ [[0] * 90000] * 90000 }}",
        "{{ ('{}' * 1000000).format(*range(99999)) }}",
        "{{ [1] | tojson(indent=999999999) }}",
        "{{ dict.fromkeys(range(100000)) | list | map('string') | list * 999999999 }}",
        "{% for c in 'x' * 60000000 %}{% endfor %}",
        "{% set s = 'x' * 60000000 %}{% for i in range(100000) %}{{ s[-1] }}{% endfor %}",
        "{% set s = 'x' * 60000000 %}{% for i in range(100000) %}{{ s.find('y') }}{% endfor %}",
        "{% set s = 'x' * 60000000 %}{% for i in range(100000) %}{{ s | length }}{% endfor %}",
        "{% set s = 'x' * 60000000 %}{% for i in range(100000) %}{% if s == s ~ '' %}{% endif %}{% "
        "endfor %}",
        "{% set l = range(100000) | list %}{% for i in l %}{{ -1 in l }}{% endfor %}",
        "{% set l = range(100000) | list %}{% for i in l %}{{ l.count(1) }}{% endfor %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% "
        "endcall %}{% endmacro %}{{ g() }}",
        "{% set ns = namespace(g=[1]) %}{% for i in range(1000) %}{% set ns.g = ns.g | map('abs') "
        "%}{% endfor %}{{ ns.g | list }}",
        "{% macro f(x=f()) %}{% endmacro %}{{ f() }}",
        "{{ 2 ** 99999999 }}",
        "{{ 10 ** 9999999999 }}",
        "{{ (1, 2) * 999999999 }}",
        "{% for i in range(100000) %}{% macro m() %}{{ i }}{% endmacro %}{% for j in range(100) "
        "%}{{ m() }}{% endfor %}{% endfor %}"}) {
    CAPTURE(source);
    CHECK(refusal(source).size() < 500);
  }
  CHECK_THAT(refusal("{{ range(999999999) }}"), Contains("100000"));
  CHECK_THAT(refusal("{{ 'x' | indent(999999999) }}"), Contains("exceeds"));
  const auto repeat = [](const std::string& unit, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += unit;
    return all;
  };
  for (const std::string& deep :
       {"{{ " + repeat("(", 50'000) + " }}", "{{ " + repeat("[", 50'000) + " }}",
        "{{ " + repeat("-", 50'000) + "1 }}", "{{ " + repeat("not ", 50'000) + "1 }}",
        "{{ 1" + repeat(" + 1", 50'000) + " }}", "{{ a" + repeat(".a", 50'000) + " }}",
        "{{ 1" + repeat("|abs", 50'000) + " }}", "{{ 1" + repeat(" if 1 else 1", 50'000) + " }}",
        repeat("{% if 1 %}", 50'000), "{{ {" + repeat("'a':{", 50'000) + " }}"}) {
    const auto parsed = ChatTemplate::parse(deep);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.status().code() == Code::kInvalidArgument);
  }
  CHECK_THAT(refusal("{% macro f() %}" + repeat("{% if 1 %}", 90) + "{{ f() }}" +
                     repeat("{% endif %}", 90) + "{% endmacro %}{{ f() }}"),
             Contains("recurses"));
  CHECK_FALSE(ChatTemplate::parse(std::string(2'000'000, 'x')).ok());
  CHECK(render(repeat("{% if 1 %}", 90) + "x" + repeat("{% endif %}", 90)).ok());

  json nested = json::array();
  for (int i = 0; i < 500; ++i) nested = json::array({nested});
  CHECK_FALSE(ChatTemplate::parse("{{ messages }}")->render(nested, false, json::object()).ok());
}

TEST_CASE("mutated templates never crash", "[text][chat_template][hostile]") {
  const std::string sources[] = {
      bundled_template(),
      "{%- macro f(a, b=[1, {'k': 'v'}]) -%}\n{{ a | join(', ') ~ b[0:2] }}{% endmacro %}{% set ns "
      "= namespace(x=1) %}{% for m in messages if m.role is not none %}{% set ns.x = ns.x + "
      "loop.index %}{{ f([m.role, '\\n\"'], b=(1, 2)) }}{% else %}{# none #}{% endfor %}{{ ns.x | "
      "tojson(indent=2) }}"};
  const json messages = json::array({json{{"role", "user"}, {"content", "Hi"}}});
  std::mt19937 rng(11);
  int rendered = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string source = sources[round % 2];
    for (size_t edits = 1 + rng() % 3; edits > 0; --edits) {
      const size_t at = rng() % source.size();
      if (rng() % 3 == 0)
        source.erase(at, 1 + rng() % 8);
      else
        source.insert(at, 1, "{}%#|()[].,'\"-+~*/=<> \nx1"[rng() % 25]);
      if (source.empty()) source = "x";
    }
    const auto parsed = ChatTemplate::parse(source);
    if (parsed.ok() && parsed->render(messages, true, json::object()).ok()) ++rendered;
  }
  CHECK(rendered > 100);
}

TEST_CASE("small templates print what the reference prints", "[text][chat_template]") {
  const std::string path = source_path("tests/data/templates/vectors.json");
  const ordered_json file = ordered_json::parse(*read_text_file(path));
  REQUIRE(file["vectors"].size() > 400);
  for (const ordered_json& v : file["vectors"]) {
    const std::string source = v["source"];
    CAPTURE(source);
    const auto parsed = ChatTemplate::parse(source);
    const auto got = parsed.ok()
                         ? parsed->render(file["variables"]["messages"], false, file["variables"])
                         : Result<std::string>(parsed.status());
    if (v.contains("error")) {
      CAPTURE(v["error"].get<std::string>());
      CHECK_FALSE(got.ok());
    } else {
      CHECK((got.ok() ? *got : "error: " + got.status().message()) == v["text"].get<std::string>());
    }
  }
}

TEST_CASE("real templates print what the reference prints", "[text][chat_template]") {
  const auto folder = test::shared_data("data/templates", "real chat templates");
  if (!folder) return;
  const auto read = [](const std::string& path) {
    return ordered_json::parse(*read_text_file(path));
  };
  const ordered_json input = read(*folder + "/expected/conversations.json");
  int num_templates = 0, num_exact = 0, num_cases = 0, num_passed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*folder + "/llama.cpp")) {
    if (entry.path().extension() != ".jinja") continue;
    ++num_templates;
    const std::string name = entry.path().stem();
    const ordered_json expected = read(*folder + "/expected/" + name + ".json");
    const auto chat = ChatTemplate::parse(*read_text_file(entry.path()));
    if (!chat.ok()) {
      std::cout << name << ": " << chat.status().message() << "\n";
      CHECK(chat.status().code() == Code::kUnimplemented);
      num_cases += int(expected.size());
      continue;
    }
    bool exact = true;
    for (const auto& [conversation, wanted] : expected.items()) {
      const ordered_json& c = input["conversations"][conversation];
      ordered_json variables = {{"bos_token", "<s>"},
                                {"eos_token", "</s>"},
                                {"now", kNow},
                                {"documents", nullptr},
                                {"tools", nullptr}};
      for (const auto& [key, value] : c.items())
        if (key != "messages" && key != "add_generation_prompt") variables[key] = value;
      const auto got =
          chat->render(c["messages"], c.value("add_generation_prompt", true), variables);
      bool same = wanted.contains("error") ? !got.ok()
                                           : got.ok() && *got == wanted["text"].get<std::string>();
      const std::string error = wanted.value("error", "");
      if (same && error.starts_with("TemplateError: "))
        same = got.status().message() == error.substr(15);
      ++num_cases;
      num_passed += same;
      exact &= same;
      if (!same)
        std::cout << name << ", " << conversation << ": "
                  << (got.ok() ? "other text" : got.status().message()) << "\n";
    }
    num_exact += exact;
  }
  std::cout << "real chat templates: " << num_exact << " of " << num_templates << " exact, "
            << num_passed << " of " << num_cases << " renderings\n";
  CHECK(num_templates >= 35);
  CHECK(num_exact == num_templates);
}
