// Attributes and items of template values: `value.name`, `value[key]`.
#include <algorithm>

#include "base/utf8_char.h"
#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/calls.h"
#include "engine/text/jinja/loop.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;

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
  return value.is_list(List::Kind::kList) ? among(kList) : value.is_dict() && among(kDict);
}

std::optional<Value> list_attribute(const List& list, std::string_view name) {
  if (list.is_group && name == "grouper") return list.items[0];
  if (list.is_group && name == "list") return list.items[1];
  if (list.kind != List::Kind::kRange) return std::nullopt;
  if (name == "start") return Value(list.start);
  if (name == "stop") return Value(list.stop);
  return name == "step" ? std::optional<Value>(list.range_step) : std::nullopt;
}

std::optional<Value> number_attribute(const Value& value, std::string_view name) {
  if (name == "imag") return value.is_float() ? Value(0.0) : Value(int64_t(0));
  if (value.is_float()) return name == "real" ? std::optional<Value>(value) : std::nullopt;
  if (name == "real" || name == "numerator") return Value(value.integer());
  return name == "denominator" ? std::optional<Value>(int64_t(1)) : std::nullopt;
}

Result<std::optional<Value>> macro_attribute(const Macro& macro, std::string_view name) {
  std::optional<Value> value;
  if (name == "name") value = macro.name.empty() ? Value() : Value(macro.name);
  if (name == "catch_kwargs") value = macro.takes_kwargs;
  if (name == "catch_varargs") value = macro.takes_varargs;
  if (name == "caller") value = macro.takes_caller;
  if (name == "arguments") {
    std::vector<Value> names;
    for (const Macro::Parameter& parameter : macro.parameters) names.emplace_back(parameter.name);
    TERN_ASSIGN(value, make_list(std::move(names), List::Kind::kTuple));
  }
  return value;
}

Result<std::optional<Value>> cycler_attribute(const Cycler& cycler, std::string_view name) {
  std::optional<Value> value;
  if (name == "current") value = cycler.items[cycler.at];
  if (name == "pos") value = int64_t(cycler.at);
  if (name == "items") {
    TERN_ASSIGN(value, make_list(cycler.items, List::Kind::kTuple));
  }
  return value;
}

std::optional<Value> joiner_attribute(const Joiner& joiner, std::string_view name) {
  if (name == "sep") return joiner.separator;
  return name == "used" ? std::optional<Value>(joiner.used) : std::nullopt;
}

/// What is no method; nothing where there is none of that name.
Result<std::optional<Value>> data_attribute(const Value& value, const std::string& name) {
  switch (value.type()) {
    case Type::kNamespace: {
      const Value* member = value.name_space().members.find(name);
      return member ? std::optional<Value>(*member) : std::nullopt;
    }
    case Type::kLoop: {
      TERN_ASSIGN(Value member, loop_attribute(value.loop(), name));
      return std::optional<Value>(std::move(member));
    }
    case Type::kBool:
    case Type::kInt:
    case Type::kFloat:
      return number_attribute(value, name);
    case Type::kList:
      return list_attribute(value.list(), name);
    case Type::kMacro:
      return macro_attribute(*value.macro().macro, name);
    case Type::kCycler:
      return cycler_attribute(value.cycler(), name);
    case Type::kJoiner:
      return joiner_attribute(value.joiner(), name);
    default:
      return std::optional<Value>();
  }
}

/// The element `index`, counted from the end where negative.
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
  return Value(String{std::string(rest.substr(0, first_char(rest).size)), value.is_markup()});
}

}  // namespace

Status set_member(Namespace& space, const std::string& name, const Value& value) {
  if (name.starts_with('_'))
    return invalid_argument("a namespace cannot have the attribute " + string_repr(name) +
                            ": it begins with an underscore");
  space.members.set(name, value);
  return {};
}

Result<Value> get_own_attribute(const Value& value, const std::string& name) {
  if (value.is_undefined()) return invalid_argument(value.undefined_reason());
  if (value.is_blank_none()) return get_own_attribute(Value(std::string()), name);
  if (has_method(value, name)) return Value(std::make_shared<const Method>(Method{value, name}));
  if (const std::string* text = value.text_in_place())
    if (has_method(Value(*text), name)) return get_own_attribute(Value(*text), name);
  TERN_ASSIGN(const std::optional<Value> attribute, data_attribute(value, name));
  if (attribute) return *attribute;
  if (is_mutating(value, name))
    return Value::undefined("access to attribute '" + name + "' of " + quoted_type(value) +
                            " object is unsafe");
  return missing(value, name);
}

Result<Value> get_attribute(const Value& value, const std::string& name) {
  const bool is_member = value.is_dict() && !has_method(value, name) && !is_mutating(value, name);
  if (is_member)
    if (const Value* member = value.dict().find(name)) return *member;
  return get_own_attribute(value, name);
}

Result<Value> get_item(const Value& value, const Value& key) {
  if (value.is_undefined()) return invalid_argument(value.undefined_reason());
  if (value.is_dict()) {
    const auto member = value.dict().find(key);
    if (member.ok() && *member) return **member;
  }
  if (value.is_blank_none()) return get_item(Value(std::string()), key);
  const bool is_sequence = value.is_string() || (value.is_list() && !value.list().is_view());
  if (is_sequence && key.is_integer()) return element(value, key.integer());
  if (key.is_string()) return get_own_attribute(value, key.string());
  return missing(value, std::string(type_name(key)));
}

}  // namespace tern::jinja
