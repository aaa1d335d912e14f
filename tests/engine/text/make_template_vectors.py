#!/usr/bin/env python3
"""Makes the expected texts of small chat templates with the reference language (PyPI: jinja2), set up as Hugging Face does.

    make_template_vectors.py OUT_FILE

OUT_FILE: [{"source", "text"} or {"source", "error"}], rendered with VARIABLES, which stand there too.
"""
import json
import sys

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

VARIABLES = {
    "n": 7, "m": -3, "f": 2.5, "t": True, "z": None, "e": "", "s": "Köln am Rhein", "w": "  pad\t\n", "words": "one two  three", "csv": "a,b,,c", "lines": "x\ny\r\nz\n", "list": [3, 1, 2], "empty": [], "nested": [[1, 2], [3], []],
    "d": {"b": 1, "a": {"c": [1, "x"]}, "items": "own"}, "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi <b>&'\""}, {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": {"x": 1.0, "y": [True, None]}}]}],
    "people": [{"name": "Zoe", "age": 30}, {"name": "adam", "age": 25}, {"name": "Bob"}],
}

# Separated by " ¦ ".
EXPRESSIONS = r"""
n + m ¦ n - m ¦ n * f ¦ n / 2 ¦ n // 2 ¦ m // 2 ¦ m % 2 ¦ n % m ¦ f // 1 ¦ f % 2 ¦ -f % 2 ¦ 2 ** 3 ** 2 ¦ -2 ** 2 ¦ n ~ f ~ t ~ z ~ e ¦ t + t ¦ 1.0 ¦ 100000000000000000.0 ¦ 0.1 + 0.2 ¦ 1e-5
1e22 ¦ -0.0 ¦ 3 * 'ab' ¦ [1] * 3 ¦ s ~ '!' ¦ s[0] ¦ s[-1] ¦ s[1:4] ¦ s[:-3] ¦ s[::2] ¦ s[::-1] ¦ s[5:2] ¦ s[20] ¦ s[1:][0] ¦ list[0] ¦ list[-1] ¦ list[5] ¦ list[1:] ¦ list[:2] ¦ list[::-1]
nested[0][1] ¦ list['a'] ¦ d['b'] ¦ d.b ¦ d.a.c[1] ¦ d['a']['c'] ¦ d.missing ¦ d['missing'] ¦ d.items ¦ d['items'] ¦ d.get('b') ¦ d.get('q') ¦ d.get('q', 'r') ¦ n == 7 ¦ n == 7.0 ¦ t == 1
z == none ¦ z is none|e == '' ¦ 'a' == "a" ¦ list == [3, 1, 2] ¦ list != [1] ¦ d == {} ¦ (1, 2) == (1, 2) ¦ (1, 2) == [1, 2] ¦ n > 3 and m < 0 ¦ 1 < n < 8 ¦ 1 < n > 8 ¦ n in list ¦ 1 in list
'K' in s ¦ 'q' in s ¦ 'b' in d ¦ 'c' not in d ¦ not e ¦ not not n|e or 'x' ¦ n and 'y' ¦ z or e or 0 ¦ missing or 'dflt' ¦ missing == missing ¦ missing in list ¦ 1 in missing
'a' if t else 'b' ¦ 'a' if e else 'b' ¦ 'a' if e ¦ ('a' if e) is defined ¦ 1 if t else 2 if t else 3 ¦ [1, 2, 3][1 if t else 0] ¦ {'k': n}['k'] ¦ {'a': 1, 'b': [1, {'c': none}]}
[1, 'two', 3.0, none, true, 'it\'s'] ¦ ('a',) ¦ (1, 2) ¦ [] ¦ {} ¦ ['\n\t\\'] ¦ "quote's" ¦ ['quote\'s and "'] ¦ '\u00e9\x41' ¦ 'a' 'b' ¦ s|upper ¦ s|lower ¦ s|length ¦ s|title ¦ s|capitalize
words|title ¦ w|trim ¦ w|trim|length ¦ 'xxaxx'|trim('x') ¦ list|join ¦ list|join(', ') ¦ s|join('-') ¦ people|map(attribute='name')|join(',') ¦ people|join(',', attribute='name') ¦ list|first
list|last ¦ empty|first ¦ empty|last ¦ list|sort ¦ list|sort(reverse=true) ¦ people|sort(attribute='name')|map(attribute='name')|list ¦ ['b', 'A', 'c']|sort
['b', 'A', 'c']|sort(case_sensitive=true) ¦ list|max ¦ list|min ¦ list|sum ¦ people|sum(attribute='x') ¦ people[:2]|sum(attribute='age') ¦ list|reverse|list ¦ s|reverse ¦ list ¦ 'abc'|list ¦ d
d|length ¦ empty|length ¦ missing|length ¦ z|default('q') ¦ z|default('q', true) ¦ e|default('q') ¦ e|default('q', true) ¦ missing|default('q') ¦ missing|default ¦ missing|d(1) ¦ '3'|int
'3.9'|int ¦ 'x'|int ¦ 'x'|int(5) ¦ 3.9|int ¦ -3.9|int ¦ '2.5'|float ¦ 'x'|float ¦ n|float ¦ n|string ¦ n|string|length ¦ z|string ¦ f|round ¦ 2.567|round(2) ¦ 2.4|round ¦ 3.5|round
2.1|round(method='ceil') ¦ 2.9|round(0, 'floor') ¦ m|abs ¦ -2.5|abs ¦ d|tojson ¦ list|tojson ¦ s|tojson ¦ messages|tojson ¦ messages|tojson(indent=2) ¦ nested|tojson(indent=1)
'<b>&\'"/'|tojson ¦ '\u0001\n\u007f'|tojson ¦ n|tojson ¦ f|tojson ¦ 1e20|tojson ¦ t|tojson ¦ z|tojson ¦ d|tojson(separators=(',', ':')) ¦ d|tojson(sort_keys=true) ¦ s|tojson(ensure_ascii=true)
missing|tojson ¦ (1, 2)|tojson ¦ list|map('string')|tojson ¦ d.keys()|tojson ¦ 'a\nb\n\nc'|indent ¦ 'a\nb'|indent(2) ¦ 'a\nb'|indent(2, true) ¦ 'a\n\nb'|indent(2, false, true)
'a\nb'|indent('> ') ¦ s|replace('n', 'N') ¦ s|replace('n', 'N', 1) ¦ '<&>"'|escape ¦ words|wordcount ¦ d|dictsort ¦ {'b': 1, 'A': 2, 'c': 0}|dictsort ¦ {'b': 1, 'A': 2}|dictsort(by='value')
{'b': 1, 'A': 2}|dictsort(true) ¦ d|items|list ¦ [1, 2, 1, 3]|unique|list ¦ ['a', 'A']|unique|list ¦ list|select('odd')|list ¦ list|reject('gt', 1)|list ¦ [0, 1, '']|select|list
people|selectattr('age')|map(attribute='name')|list ¦ people|selectattr('age', 'defined')|list|length ¦ people|rejectattr('age', 'defined')|map(attribute='name')|join
people|selectattr('age', 'gt', 26)|map(attribute='name')|join ¦ people[:2]|selectattr('age', 'gt', 26)|map(attribute='name')|join ¦ people|selectattr('name', 'equalto', 'Bob')|list
people|map(attribute='age', default=0)|list ¦ ['a', 'b']|map('upper')|list ¦ [' a ']|map('trim')|list ¦ ['a']|map('replace', 'a', 'b')|list ¦ n is odd ¦ n is even ¦ n is divisibleby 7
n is divisibleby(2) ¦ n is number ¦ f is number ¦ t is number ¦ t is integer ¦ t is boolean ¦ f is float ¦ s is string ¦ d is mapping ¦ list is mapping ¦ list is iterable ¦ s is iterable
n is iterable ¦ missing is iterable ¦ list is sequence ¦ s is sequence ¦ d is sequence ¦ missing is sequence ¦ d.items is string ¦ n is defined ¦ missing is defined ¦ missing is undefined
d.q is defined ¦ z is none ¦ z is not none ¦ n is eq 7 ¦ n is ne 7 ¦ n is gt 3 ¦ n is in [7] ¦ 'a' is lower ¦ 'A1' is upper ¦ '1' is lower ¦ t is true ¦ 1 is true ¦ t is sameas true
range is callable ¦ s is callable ¦ n is not string and n is number ¦ w.strip() ¦ w.lstrip() ¦ w.rstrip() ¦ 'xax'.strip('x') ¦ 'abcba'.strip('ab') ¦ 'abcba'.lstrip('ab') ¦ words.split()
words.split(' ') ¦ csv.split(',') ¦ csv.split(',', 1) ¦ words.split(none, 1) ¦ csv.rsplit(',', 1) ¦ words.rsplit(none, 1) ¦ lines.splitlines() ¦ lines.splitlines(true) ¦ ''.split()
''.split(',') ¦ s.startswith('K') ¦ s.startswith(('a', 'K')) ¦ s.endswith('n') ¦ s.upper() ¦ s.lower() ¦ s.title() ¦ 'aBC'.capitalize() ¦ s.replace('n', '') ¦ 'aaa'.replace('a', 'b', 2)
'ab'.replace('', '-') ¦ s.find('am') ¦ s.find('zz') ¦ s.rfind('n') ¦ s.index('am') ¦ s.index('zz') ¦ s.count('n') ¦ 'a'.join(['x', 'y']) ¦ '12'.isdigit() ¦ ''.isdigit() ¦ 'ab'.isalpha()
'a1'.isalnum() ¦ ' '.isspace() ¦ 'AB'.isupper() ¦ 'ab'.islower() ¦ 'prefix'.removeprefix('pre') ¦ 'x.py'.removesuffix('.py') ¦ d.keys()|list ¦ d.values()|list|length ¦ {'x': 1}.items()|list
range(4)|list ¦ range(1, 4)|list ¦ range(4, 0, -1)|list ¦ range(0)|list ¦ dict(a=1, b=2) ¦ namespace(a=1).a ¦ [1, 2].index(2) ¦ [1, 1].count(1) ¦ list.append(1) ¦ d.pop('b') ¦ d.update({})
list.sort() ¦ missing.x ¦ missing() ¦ missing + 1 ¦ missing < 1 ¦ z.x ¦ z + 1 ¦ n + 'a' ¦ 'a' + n ¦ 'a' ~ n ¦ n() ¦ 1 / 0 ¦ 1 // 0 ¦ 1 % 0 ¦ [1] + 1 ¦ [1] + [2] ¦ 1 < 'a' ¦ z < 1 ¦ 'a' in n
n in 'a' ¦ 5[0] ¦ 5.x ¦ none[0] ¦ list + (1,) ¦ -s ¦ d < d ¦ [1, 2] < [1, 3] ¦ 'a' < 'B' ¦ range(200000) ¦ loop
"""

STATEMENTS = [
    "{% for x in list %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% for x in list %}{{ loop.index }}:{{ loop.revindex0 }}:{{ loop.length }} {% endfor %}", "{% for x in empty %}x{% else %}nothing{% endfor %}", "{% for x in missing %}x{% else %}nothing{% endfor %}", "{% for x in z %}x{% endfor %}", "{% for x in n %}x{% endfor %}",
    "{% for x in list if x > 1 %}{{ x }}{{ loop.first }}{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }};{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for k in d %}{{ k }} {% endfor %}", "{% for k, v in people[0].items() %}{{ k }}={{ v }} {% endfor %}", "{% for c in 'äb' %}{{ c }}-{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}",
    "{% for x in list %}{% for y in list %}{{ loop.index0 }}{{ loop.depth }}{% endfor %}|{{ loop.depth0 }}{% endfor %}", "{% for x in list %}{{ loop.previtem }}[{{ x }}]{{ loop.nextitem }} {% endfor %}", "{% for x in list %}{{ loop.previtem is defined }}{% endfor %}", "{% for x in range(5) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in list %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in list %}{% endfor %}{{ x }}{{ loop }}",
    "{% set x = 1 %}{{ x }}", "{% set x = 1 %}{% for i in list %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% set ns = namespace(x=0) %}{% for i in list %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% if t %}{% set y = 5 %}{% endif %}{{ y }}", "{% set a, b = 1, 'z' %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set x %}in {{ n }}{% endset %}[{{ x }}]", "{% set x | upper | trim %} in {% endset %}[{{ x }}]", "{% set x %}{% set q = 1 %}{% endset %}{{ q }}", "{% set d.x = 1 %}", "{% set x = 1 %}{% set x.y = 1 %}", "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}",
    "{% if n == 7 %}a{% elif t %}b{% else %}c{% endif %}", "{% if e %}a{% elif z %}b{% else %}c{% endif %}", "{% if missing %}a{% endif %}", "{% if missing.x %}a{% endif %}", "{% if e %}{{ 1|nosuch }}{% endif %}ok", "{% if not messages[0].role == 'user' %}x{% endif %}",
    "{% macro f(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ f(1) }} {{ f(1, 3) }} {{ f(b=4, a=5) }} {{ f() }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(c=2) }}", "{% macro f(a, b=a) %}{{ b }}{% endmacro %}{{ f(1) }}", "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{% macro f() %}{{ q }}{% endmacro %}{% set q = 1 %}{{ f() }}", "{% set q = 1 %}{% macro f() %}{{ q }}{% set q = 2 %}{{ q }}{% endmacro %}{{ f() }}{{ q }}", "{% macro f() %}  x {% endmacro %}[{{ f() | trim }}]{{ f() | length }}{{ f() is string }}",
    "{% macro a() %}A{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% for i in list %}{{ g is defined }}{% endfor %}{% macro g() %}{% endmacro %}", "{% macro f() %}{{ i }}{% endmacro %}{% for i in list %}{{ f() }}.{% endfor %}", "{{ raise_exception('stop ' ~ n) }}", "{% macro f() %}{{ raise_exception('deep') }}{% endmacro %}{{ f() ~ 'x' }}", "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | trim %} aa {% endfilter %}", "{% filter upper %}{% set in_filter = 1 %}{% endfilter %}{{ in_filter }}",
    "a\n{% if t %}\nb\n{% endif %}\nc\n", "a\n  {% if t %}  \n  b\n  {% endif %}\nc\n\n", "a\n  {{ n }}\n  {# c #}\nd", "a  {%- if t -%}  b  {%- endif -%}  c", "a\n\n  {%- if t %}\n\nb{% endif %}", "  {%+ if t %}x{%+ endif %}", "{% if t +%}\nx{% endif %}", "x {{- n -}} \n y", "{#- c -#}  x", "x  {#- c #}\ny", "{% raw %}{{ n }}{% if %}{% endraw %}\nx", "{%- raw -%}  {{ n }}  {%- endraw -%}  x", "a\r\nb\rc\n", "\n\n", "{{ n }}\n\n{{ n }}\n", "{% if t %}\t{% if t %} \t\n\tx\n\t{% endif %}{% endif %}\n", "{{ '{{' }}{{ '%}' }}{{ \"}}\" }}", "{{ {'a': {'b': 1}}.a.b }}", "{{ [1,\n2,\n3]\n}}", "{%for x in list%}{{x}}{%endfor%}", "{% set x=n%}{{x}}", "{{n}}{{-n}}{{ -n }}{{+n}}",
    "{% for m in messages %}{% if m.content is string %}{{ m['role'] + ': ' + m.content }}{% elif m.tool_calls %}{% for c in m.tool_calls %}{{ c | tojson }}{% endfor %}{% endif %}\n{% endfor %}", "{% for m in messages | selectattr('role', 'equalto', 'user') %}{{ m.content }}{% endfor %}", "{% set loop_messages = messages[1:] %}{{ loop_messages | length }}{{ messages[-1].role }}", "{{ messages[0]['content'] | trim ~ '\\n' }}", "{{ (messages | first).role }}{{ messages[0].role.upper() }}", "{{ messages | map(attribute='role') | list }}", "{{ n }}{% if n %}\n{%- endif %}\n  {{- '' }}x",
    "{{ not n }}", "{{ 1 if n is defined and n is not none else 2 }}", "{{ n is string or t }}", "{{ n is divisibleby 7 and t }}", "{{ 'a' in 'abc' and 'b' not in 'xyz' }}", "{{ n | string + 'x' }}", "{{ -n | abs }}", "{{ (n + 1) | string ~ n }}", "{{ n + 1 | string | length }}", "{{ list | length > 2 }}", "{{ not list | length > 2 }}", "{{ 'x' ~ 1 + 2 }}", "{{ 2 + 3 ~ 4 }}", "{{ 1 ~ 2 * 3 }}", "{{ n == 7 == t }}", "{{ list[n - 7] }}", "{{ list[:n // 3] }}", "{{ d['a'].c[0] + d.a['c'][0] }}", "{{ [n, m] | max }}{{ {'a': 1} | length }}", "{{ f'x' }}", "{{ n n }}", "{{ 1 2 }}", "{{ a = 1 }}", "{{ n | }}", "{{ n. }}", "{% for %}{% endfor %}", "{% if t %}", "{% endif %}", "{{ n", "{% n %}", "{{ (1, }}", "{{ [1 }}",
]


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def main(out_file):
    env, vectors = environment(), []
    for source in ["{{ " + e + " }}" for line in EXPRESSIONS.strip().split("\n") for e in line.split(" ¦ ")] + STATEMENTS:
        try:
            text = env.from_string(source).render(**json.loads(json.dumps(VARIABLES)))
            if " object at 0x" in text or "dict_keys" in text or text.startswith("<built"):
                raise ValueError("the text depends on the implementation")
            vectors.append({"source": source, "text": text})
        except Exception as e:
            vectors.append({"source": source, "error": f"{type(e).__name__}: {e}"})
    json.dump({"variables": VARIABLES, "vectors": vectors}, open(out_file, "w"), ensure_ascii=False, indent=0)
    print(len(vectors), "vectors,", sum("error" in v for v in vectors), "errors")


if __name__ == "__main__":
    main(*sys.argv[1:])
