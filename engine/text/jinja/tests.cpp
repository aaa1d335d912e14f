#include "engine/text/jinja/tests.h"

#include <algorithm>

#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;

Result<int64_t> integer_of(const Value& value) {
  if (value.is_undefined()) return invalid_argument(value.undefined_reason());
  if (!value.is_integer()) return invalid_argument(quoted_type(value) + " is not an integer");
  return value.integer();
}

Result<bool> divides(int64_t divisor, const Value& value, int64_t rest) {
  TERN_ASSIGN(const int64_t number, integer_of(value));
  if (divisor == 0) return invalid_argument("integer modulo by zero");
  return divisor == -1 ? rest == 0 : std::abs(number % divisor) == rest;
}

template <class Holds>
Result<bool> ordered(const Value& a, const Value& b, Holds holds) {
  TERN_ASSIGN(const int order, compare(a, b));
  return holds(order);
}

bool is_iterable(const Value& v) {
  return v.is_list() || v.is_dict() || v.is_string() || v.is_undefined();
}

bool is_sequence(const Value& v) {
  return v.is_list() ? v.list().kind <= List::Kind::kTuple : is_iterable(v);
}

bool is_callable(const Value& v) {
  return v.is(Type::kMacro) || v.is(Type::kFunction) || v.is(Type::kMethod);
}

Result<bool> is_same(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  if (a.is_list()) return &a.list() == &b.list();
  if (a.is_dict()) return &a.dict() == &b.dict();
  return equal(a, b);
}

using Args = const CallArgs&;
const Value& first(Args args) {
  return args.positional[0];
}

constexpr Test kTests[] = {
    {"defined", 0, [](const Value& v, Args) -> Result<bool> { return !v.is_undefined(); }},
    {"undefined", 0, [](const Value& v, Args) -> Result<bool> { return v.is_undefined(); }},
    {"none", 0, [](const Value& v, Args) -> Result<bool> { return v.is_none(); }},
    {"true", 0,
     [](const Value& v, Args) -> Result<bool> { return v.is(Type::kBool) && v.truthy(); }},
    {"false", 0,
     [](const Value& v, Args) -> Result<bool> { return v.is(Type::kBool) && !v.truthy(); }},
    {"boolean", 0, [](const Value& v, Args) -> Result<bool> { return v.is(Type::kBool); }},
    {"integer", 0, [](const Value& v, Args) -> Result<bool> { return v.is(Type::kInt); }},
    {"float", 0, [](const Value& v, Args) -> Result<bool> { return v.is(Type::kFloat); }},
    {"number", 0, [](const Value& v, Args) -> Result<bool> { return v.is_number(); }},
    {"string", 0, [](const Value& v, Args) -> Result<bool> { return v.is_string(); }},
    {"mapping", 0, [](const Value& v, Args) -> Result<bool> { return v.is_dict(); }},
    {"iterable", 0, [](const Value& v, Args) -> Result<bool> { return is_iterable(v); }},
    {"sequence", 0, [](const Value& v, Args) -> Result<bool> { return is_sequence(v); }},
    {"callable", 0, [](const Value& v, Args) -> Result<bool> { return is_callable(v); }},
    {"lower", 0,
     [](const Value& v, Args) -> Result<bool> {
       return v.is_string() && to_lower(v.string()) == v.string() &&
              to_upper(v.string()) != v.string();
     }},
    {"upper", 0,
     [](const Value& v, Args) -> Result<bool> {
       return v.is_string() && to_upper(v.string()) == v.string() &&
              to_lower(v.string()) != v.string();
     }},
    {"even", 0, [](const Value& v, Args) { return divides(2, v, 0); }},
    {"odd", 0, [](const Value& v, Args) { return divides(2, v, 1); }},
    {"divisibleby", 1,
     [](const Value& v, Args a) -> Result<bool> {
       TERN_ASSIGN(const int64_t divisor, integer_of(first(a)));
       return divides(divisor, v, 0);
     }},
    {"eq", 1, [](const Value& v, Args a) -> Result<bool> { return equal(v, first(a)); }},
    {"equalto", 1, [](const Value& v, Args a) -> Result<bool> { return equal(v, first(a)); }},
    {"==", 1, [](const Value& v, Args a) -> Result<bool> { return equal(v, first(a)); }},
    {"ne", 1, [](const Value& v, Args a) -> Result<bool> { return !equal(v, first(a)); }},
    {"!=", 1, [](const Value& v, Args a) -> Result<bool> { return !equal(v, first(a)); }},
    {"lt", 1,
     [](const Value& v, Args a) { return ordered(v, first(a), [](int o) { return o < 0; }); }},
    {"le", 1,
     [](const Value& v, Args a) { return ordered(v, first(a), [](int o) { return o <= 0; }); }},
    {"gt", 1,
     [](const Value& v, Args a) { return ordered(v, first(a), [](int o) { return o > 0; }); }},
    {"ge", 1,
     [](const Value& v, Args a) { return ordered(v, first(a), [](int o) { return o >= 0; }); }},
    {"lessthan", 1,
     [](const Value& v, Args a) { return ordered(v, first(a), [](int o) { return o < 0; }); }},
    {"greaterthan", 1,
     [](const Value& v, Args a) { return ordered(v, first(a), [](int o) { return o > 0; }); }},
    {"in", 1, [](const Value& v, Args a) { return contains(first(a), v); }},
    {"sameas", 1, [](const Value& v, Args a) { return is_same(v, first(a)); }},
};

}  // namespace

const Test* find_test(std::string_view name) {
  const Test* test = std::find_if(std::begin(kTests), std::end(kTests),
                                  [&](const Test& t) { return t.name == name; });
  return test == std::end(kTests) ? nullptr : test;
}

}  // namespace tern::jinja
