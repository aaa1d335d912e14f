#include "engine/text/jinja/tests.h"

#include <algorithm>

#include "base/utf8_char.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/interpreter.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;
using V = const Value&;

/// A test that looks at nothing but the value.
template <bool (*kHolds)(const Value&)>
Result<bool> run_plain(Interpreter&, V value, V) {
  return kHolds(value);
}

bool is_defined(V v) {
  return !v.is_undefined();
}
bool is_undefined(V v) {
  return v.is_undefined();
}
bool is_none(V v) {
  return v.is_none();
}
bool is_boolean(V v) {
  return v.is(Type::kBool);
}
bool is_true(V v) {
  return v.is(Type::kBool) && v.truthy();
}
bool is_false(V v) {
  return v.is(Type::kBool) && !v.truthy();
}
bool is_integer(V v) {
  return v.is(Type::kInt) || v.is_big_integer();
}
bool is_float(V v) {
  return v.is_float();
}
bool is_number(V v) {
  return v.is_number() || v.is_big_integer();
}
bool is_string(V v) {
  return v.is_string();
}
bool is_mapping(V v) {
  return v.is_dict();
}
bool is_iterable(V v) {
  return v.is(Type::kLoop) || (!v.is_none() && iterator_over(v).ok());
}
bool is_sequence(V v) {
  return v.is_list() ? !v.list().is_view() : v.is_dict() || v.is_string() || v.is_undefined();
}
bool is_callable(V v) {
  return v.is(Type::kMacro) || v.is(Type::kFunction) || v.is(Type::kMethod) || v.is(Type::kLoop) ||
         v.is(Type::kJoiner) || v.is_undefined();
}
bool is_escaped(V v) {
  return v.is_markup();
}
bool is_filter(V v) {
  return v.is_string() && find_filter(v.string());
}
bool is_test(V v) {
  return v.is_string() && find_test(v.string());
}

template <bool (*kIs)(char32_t), bool (*kIsOther)(char32_t)>
Result<bool> run_case(Interpreter&, V value, V) {
  TERN_ASSIGN(const std::string text, to_text(value));
  bool found = false;
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(first_char(rest).size)) {
    const char32_t c = first_char(rest).code_point;
    if (kIsOther(c) || is_title(c)) return false;
    found |= kIs(c);
  }
  return found;
}

Result<bool> divides(Interpreter& interpreter, V value, V divisor, int64_t rest) {
  TERN_ASSIGN(const Value remainder, arithmetic(interpreter, "%", value, divisor));
  return equal(remainder, Value(rest));
}

Result<bool> run_even(Interpreter& interpreter, V value, V) {
  return divides(interpreter, value, Value(int64_t(2)), 0);
}
Result<bool> run_odd(Interpreter& interpreter, V value, V) {
  return divides(interpreter, value, Value(int64_t(2)), 1);
}
Result<bool> run_divisibleby(Interpreter& interpreter, V value, V divisor) {
  return divides(interpreter, value, divisor, 0);
}

Result<bool> run_eq(Interpreter&, V value, V other) {
  return equal(value, other);
}
Result<bool> run_ne(Interpreter&, V value, V other) {
  return !equal(value, other);
}
Result<bool> run_lt(Interpreter&, V value, V other) {
  return is_ordered("<", value, other);
}
Result<bool> run_le(Interpreter&, V value, V other) {
  return is_ordered("<=", value, other);
}
Result<bool> run_gt(Interpreter&, V value, V other) {
  return is_ordered(">", value, other);
}
Result<bool> run_ge(Interpreter&, V value, V other) {
  return is_ordered(">=", value, other);
}
Result<bool> run_in(Interpreter& interpreter, V value, V container) {
  TERN_TRY(interpreter.charge_walk(container));
  return contains(container, value);
}
Result<bool> run_sameas(Interpreter&, V value, V other) {
  return value.is_same(other);
}

constexpr Test kTests[] = {
    {"defined", false, "", run_plain<is_defined>},
    {"undefined", false, "", run_plain<is_undefined>},
    {"none", false, "", run_plain<is_none>},
    {"boolean", false, "", run_plain<is_boolean>},
    {"true", false, "", run_plain<is_true>},
    {"false", false, "", run_plain<is_false>},
    {"integer", false, "", run_plain<is_integer>},
    {"float", false, "", run_plain<is_float>},
    {"number", false, "", run_plain<is_number>},
    {"string", false, "", run_plain<is_string>},
    {"mapping", false, "", run_plain<is_mapping>},
    {"iterable", false, "", run_plain<is_iterable>},
    {"sequence", false, "", run_plain<is_sequence>},
    {"callable", false, "", run_plain<is_callable>},
    {"escaped", false, "", run_plain<is_escaped>},
    {"filter", false, "", run_plain<is_filter>},
    {"test", false, "", run_plain<is_test>},
    {"lower", false, "", run_case<is_lower, is_upper>},
    {"upper", false, "", run_case<is_upper, is_lower>},
    {"even", false, "", run_even},
    {"odd", false, "", run_odd},
    {"divisibleby", true, "num", run_divisibleby},
    {"eq", true, "", run_eq},
    {"equalto", true, "", run_eq},
    {"==", true, "", run_eq},
    {"ne", true, "", run_ne},
    {"!=", true, "", run_ne},
    {"lt", true, "", run_lt},
    {"lessthan", true, "", run_lt},
    {"<", true, "", run_lt},
    {"le", true, "", run_le},
    {"<=", true, "", run_le},
    {"gt", true, "", run_gt},
    {"greaterthan", true, "", run_gt},
    {">", true, "", run_gt},
    {"ge", true, "", run_ge},
    {">=", true, "", run_ge},
    {"in", true, "seq", run_in},
    {"sameas", true, "other", run_sameas},
};

}  // namespace

const Test* find_test(std::string_view name) {
  const Test* test = std::find_if(std::begin(kTests), std::end(kTests),
                                  [&](const Test& t) { return t.name == name; });
  return test == std::end(kTests) ? nullptr : test;
}

}  // namespace tern::jinja
