// Arithmetic, membership, attributes and items of template values.
#include <algorithm>
#include <cmath>

#include "base/utf8_char.h"
#include "engine/text/jinja/calls.h"
#include "engine/text/jinja/interpreter.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;

Status overflow() {
  return invalid_argument("an integer exceeds 64 bits");
}

Result<Value> integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0) return Value(std::pow(double(base), double(exponent)));
  int64_t value = 1;
  if (base == 0 || base == 1 || base == -1)
    return Value(exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base);
  for (; exponent > 0; --exponent)  // at most 63 times before it overflows
    if (__builtin_mul_overflow(value, base, &value)) return overflow();
  return Value(value);
}

/// Python's // and %: the quotient rounds down.
Result<Value> integer_division(std::string_view op, int64_t a, int64_t b) {
  if (b == 0) return invalid_argument("integer division or modulo by zero");
  if (b == -1) {  // INT64_MIN / -1 does not fit
    int64_t negated = 0;
    if (__builtin_sub_overflow(int64_t(0), a, &negated)) return overflow();
    return Value(op == "//" ? negated : int64_t(0));
  }
  const bool rounds = a % b != 0 && (a < 0) != (b < 0);
  if (op == "//") return Value(a / b - int64_t(rounds));
  return Value(a % b + (rounds ? b : 0));
}

Result<Value> integer_arithmetic(std::string_view op, int64_t a, int64_t b) {
  int64_t value = 0;
  if (op == "**") return integer_power(a, b);
  if (op == "//" || op == "%") return integer_division(op, a, b);
  const bool failed = op == "+"   ? __builtin_add_overflow(a, b, &value)
                      : op == "-" ? __builtin_sub_overflow(a, b, &value)
                                  : __builtin_mul_overflow(a, b, &value);
  if (failed) return overflow();
  return Value(value);
}

Result<Value> float_arithmetic(std::string_view op, double a, double b) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "**") return Value(std::pow(a, b));
  if (b == 0) return invalid_argument("division by zero");
  if (op == "/") return Value(a / b);
  if (op == "//") return Value(std::floor(a / b));
  const double rest = std::fmod(a, b);
  return Value(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
}

Result<Value> concatenate_lists(Interpreter& interpreter, const List& a, const List& b) {
  TERN_TRY(interpreter.charge(0, int64_t(a.items.size() + b.items.size())));
  std::vector<Value> items = a.items;
  items.insert(items.end(), b.items.begin(), b.items.end());
  return interpreter.list(std::move(items), a.kind);
}

Result<Value> repeat(Interpreter& interpreter, const Value& value, int64_t count) {
  const size_t times = count > 0 ? size_t(count) : 0;
  const size_t size = value.is_string() ? value.string().size() : value.list().items.size();
  if (size > 0 && times > kMaxStringBytes / size)
    return invalid_argument("a repetition exceeds the limits");
  TERN_TRY(interpreter.charge(0, int64_t(times >> 6)));
  if (value.is_string()) {
    std::string text;
    for (size_t i = 0; size > 0 && i < times; ++i) text += value.string();
    return interpreter.string(std::move(text));
  }
  TERN_TRY(interpreter.charge(size * times * sizeof(Value), int64_t(size * times)));
  std::vector<Value> items;
  for (size_t i = 0; size > 0 && i < times; ++i)
    items.insert(items.end(), value.list().items.begin(), value.list().items.end());
  return make_list(std::move(items), value.list().kind);
}

bool is_sequence(const Value& value) {
  return value.is_string() || (value.is_list() && value.list().kind <= List::Kind::kTuple);
}

Value loop_attribute(const Loop& loop, const std::string& name) {
  const auto index0 = int64_t(loop.index0), length = int64_t(loop.items->items.size());
  if (name == "index") return Value(index0 + 1);
  if (name == "index0") return Value(index0);
  if (name == "first") return Value(index0 == 0);
  if (name == "last") return Value(index0 + 1 == length);
  if (name == "length") return Value(length);
  if (name == "revindex") return Value(length - index0);
  if (name == "revindex0") return Value(length - index0 - 1);
  if (name == "depth") return Value(int64_t(1));  // of recursive loops, which there are none of
  if (name == "depth0") return Value(int64_t(0));
  if (name == "previtem")
    return index0 > 0 ? loop.items->items[loop.index0 - 1]
                      : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return index0 + 1 < length ? loop.items->items[loop.index0 + 1]
                               : Value::undefined("there is no next item");
  return Value::undefined("'LoopContext' object has no attribute " + string_repr(name));
}

Value missing(const Value& value, const std::string& name) {
  std::string reason = "'";
  reason += type_name(value);
  return Value::undefined(reason + " object' has no attribute " + string_repr(name));
}

/// What Hugging Face's sandbox forbids: it would change a value.
bool is_mutating(const Value& value, std::string_view name) {
  constexpr std::string_view kList[] = {"append", "clear",  "pop",  "reverse",
                                        "insert", "remove", "sort", "extend"};
  constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  const auto among = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  return value.is_list() ? among(kList) : value.is_dict() && among(kDict);
}

/// The element `index` counted from the end where negative; null where there is none.
Result<Value> element(const Value& value, int64_t index) {
  const int64_t size =
      value.is_string() ? int64_t(num_chars(value.string())) : int64_t(value.list().items.size());
  const int64_t at = index < 0 ? index + size : index;
  if (at < 0 || at >= size)
    return Value::undefined(std::string(type_name(value)) + " object has no element " +
                            std::to_string(index));
  if (value.is_list()) return value.list().items[size_t(at)];
  const std::string_view rest =
      std::string_view(value.string()).substr(char_offset(value.string(), size_t(at)));
  return Value(std::string(rest.substr(0, first_char(rest).size)));
}

}  // namespace

Result<Value> arithmetic(Interpreter& interpreter, std::string_view op, const Value& a,
                         const Value& b) {
  if (op == "~") {
    TERN_ASSIGN(std::string left, to_text(a));
    TERN_ASSIGN(const std::string right, to_text(b));
    return interpreter.string(std::move(left) + right);
  }
  if (a.is_number() && b.is_number()) {
    const bool integers = a.is_integer() && b.is_integer() && op != "/";
    return integers ? integer_arithmetic(op, a.integer(), b.integer())
                    : float_arithmetic(op, a.number(), b.number());
  }
  if (op == "+" && a.is_string() && b.is_string())
    return interpreter.string(a.string() + b.string());
  if (op == "+" && a.is_list() && b.is_list() && is_sequence(a) && a.list().kind == b.list().kind)
    return concatenate_lists(interpreter, a.list(), b.list());
  if (op == "*" && is_sequence(a) && b.is_integer()) return repeat(interpreter, a, b.integer());
  if (op == "*" && is_sequence(b) && a.is_integer()) return repeat(interpreter, b, a.integer());
  if (op == "%" && a.is_string())
    return Status(Code::kUnimplemented, "tern does not know % on strings");
  for (const Value* v : {&a, &b})
    if (v->is_undefined()) return invalid_argument(v->undefined_reason());
  return invalid_argument("unsupported operand types for " + std::string(op) + ": " +
                          quoted_type(a) + " and " + quoted_type(b));
}

Result<bool> contains(const Value& container, const Value& item) {
  if (container.is_string()) {
    if (item.is_undefined()) return invalid_argument(item.undefined_reason());
    if (!item.is_string())
      return invalid_argument("'in <string>' requires a string, not " + quoted_type(item));
    return container.string().find(item.string()) != std::string::npos;
  }
  if (container.is_dict()) return container.dict().find(item) != nullptr;
  if (container.is_undefined()) return false;
  if (!container.is_list())
    return invalid_argument(quoted_type(container) + " object is not iterable");
  const auto& items = container.list().items;
  return std::any_of(items.begin(), items.end(), [&](const Value& v) { return equal(v, item); });
}

Result<Value> get_attribute(const Value& value, const std::string& name) {
  if (value.is_undefined()) return invalid_argument(value.undefined_reason());
  if (value.is(Type::kNamespace)) {
    const auto& members = value.name_space().members;
    const auto it = members.find(name);
    return it == members.end() ? missing(value, name) : it->second;
  }
  if (has_method(value, name)) return Value(std::make_shared<const Method>(Method{value, name}));
  if (value.is(Type::kLoop)) return loop_attribute(value.loop(), name);
  if (is_mutating(value, name))
    return Value::undefined("access to attribute '" + name + "' of " + quoted_type(value) +
                            " object is unsafe");
  if (value.is_dict())
    if (const Value* member = value.dict().find(name)) return *member;
  return missing(value, name);
}

Result<Value> get_item(const Value& value, const Value& key) {
  if (value.is_undefined()) return invalid_argument(value.undefined_reason());
  if (value.is_dict())
    if (const Value* member = value.dict().find(key)) return *member;
  if (is_sequence(value) && key.is_integer()) return element(value, key.integer());
  if (key.is_string() && !value.is_dict()) return get_attribute(value, key.string());
  return missing(value, key.is_string() ? key.string() : std::string(type_name(key)));
}

}  // namespace tern::jinja
