#include "engine/text/jinja/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/utf8_char.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;

std::string repr_items(const std::vector<std::string>& parts, char open, char close) {
  std::string text(1, open);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += ", ";
    text += parts[i];
  }
  return text + close;
}

Result<std::string> repr(const Value& value);

Result<std::string> list_repr(const List& list) {
  if (list.kind == List::Kind::kGenerator || list.kind == List::Kind::kView)
    return invalid_argument("a generator has no text");
  std::vector<std::string> parts;
  for (const Value& item : list.items) {
    TERN_ASSIGN(std::string part, repr(item));
    parts.push_back(std::move(part));
  }
  if (list.kind == List::Kind::kList) return repr_items(parts, '[', ']');
  if (parts.size() == 1) parts[0] += ",";
  return repr_items(parts, '(', ')');
}

Result<std::string> dict_repr(const Dict& dict) {
  std::vector<std::string> parts;
  for (const auto& [key, item] : dict.items) {
    TERN_ASSIGN(std::string name, repr(key));
    TERN_ASSIGN(const std::string part, repr(item));
    name += ": ";
    parts.push_back(name += part);
  }
  return repr_items(parts, '{', '}');
}

Result<std::string> repr(const Value& value) {
  if (value.is_string()) return string_repr(value.string());
  if (value.is_undefined()) return std::string("Undefined");
  return to_text(value);
}

bool lists_equal(const List& a, const List& b) {
  return a.kind == b.kind &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), equal);
}

bool dicts_equal(const Dict& a, const Dict& b) {
  return a.items.size() == b.items.size() &&
         std::all_of(a.items.begin(), a.items.end(), [&](const auto& item) {
           const Value* other = b.find(item.first);
           return other && equal(item.second, *other);
         });
}

}  // namespace

bool Dict::is_key(const Value& value) {
  return value.is_string() || value.is_integer();
}

const Value* Dict::find(const std::string& key) const {
  const auto it = by_string.find(key);
  return it == by_string.end() ? nullptr : &items[it->second].second;
}

const Value* Dict::find(const Value& key) const {
  if (key.is_string()) return find(key.string());
  if (!key.is_integer()) return nullptr;
  const auto it = by_integer.find(key.integer());
  return it == by_integer.end() ? nullptr : &items[it->second].second;
}

void Dict::set(Value key, Value value) {
  const auto set_at = [&](size_t at, bool is_new) {
    if (is_new)
      items.emplace_back(std::move(key), std::move(value));
    else
      items[at].second = std::move(value);
  };
  if (key.is_string()) {
    const auto [it, is_new] = by_string.emplace(key.string(), items.size());
    set_at(it->second, is_new);
  } else {
    const auto [it, is_new] = by_integer.emplace(key.integer(), items.size());
    set_at(it->second, is_new);
  }
}

int64_t Value::integer() const {
  const bool* truth = std::get_if<bool>(&rep_);
  return truth ? int64_t(*truth) : std::get<int64_t>(rep_);
}

double Value::number() const {
  const double* real = std::get_if<double>(&rep_);
  return real ? *real : double(integer());
}

const std::string& Value::undefined_reason() const {
  return *std::get<Undefined>(rep_).reason;
}

bool Value::truthy() const {
  switch (type()) {
    case Type::kUndefined:
    case Type::kNone:
      return false;
    case Type::kBool:
    case Type::kInt:
    case Type::kFloat:
      return number() != 0;
    case Type::kString:
      return !string().empty();
    case Type::kList:
      return list().kind == List::Kind::kGenerator || !list().items.empty();
    case Type::kDict:
      return !dict().items.empty();
    default:
      return true;
  }
}

int Value::depth() const {
  if (is_list()) return list().depth;
  if (is_dict()) return dict().depth;
  if (is(Type::kLoop)) return loop().items->depth + 1;
  return is(Type::kMethod) ? method().self.depth() + 1 : 0;
}

size_t Value::weight() const {
  constexpr size_t kOwn = sizeof(Value);
  if (is_string()) return kOwn + string().size();
  if (is_list()) return kOwn + list().weight;
  if (is_dict()) return kOwn + dict().weight;
  if (is(Type::kLoop)) return kOwn + loop().items->weight;
  return is(Type::kMethod) ? kOwn + method().self.weight() : kOwn;
}

namespace {

/// Adds a member to the depth and weight of a container.
template <class Container>
void account(Container& container, const Value& member) {
  container.depth = std::max(container.depth, member.depth() + 1);
  container.weight += member.weight();
}

template <class Container>
Result<Value> finished(Container container) {
  if (container.depth > kMaxValueDepth) return invalid_argument("a value is nested too deeply");
  if (container.weight > kMaxValueBytes)
    return invalid_argument("a value exceeds " + std::to_string(kMaxValueBytes) + " bytes");
  return Value(std::make_shared<const Container>(std::move(container)));
}

}  // namespace

Result<Value> make_list(std::vector<Value> items, List::Kind kind) {
  List list{.items = std::move(items), .kind = kind};
  for (const Value& item : list.items) account(list, item);
  return finished(std::move(list));
}

Result<Value> make_dict(Dict dict) {
  for (const auto& [key, item] : dict.items) {
    account(dict, item);
    dict.weight += key.weight();
  }
  return finished(std::move(dict));
}

std::string_view type_name(const Value& value) {
  constexpr std::string_view kNames[] = {
      "Undefined", "NoneType",  "bool",        "int",   "float",    "str",   "list",
      "dict",      "Namespace", "LoopContext", "Macro", "function", "method"};
  return kNames[size_t(value.type())];
}

std::string quoted_type(const Value& value) {
  std::string text = "'";
  text += type_name(value);
  return text + "'";
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number())
    return a.is_integer() && b.is_integer() ? a.integer() == b.integer() : a.number() == b.number();
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::kUndefined:
    case Type::kNone:
      return true;
    case Type::kString:
      return a.string() == b.string();
    case Type::kList:
      return &a.list() == &b.list() || lists_equal(a.list(), b.list());
    case Type::kDict:
      return &a.dict() == &b.dict() || dicts_equal(a.dict(), b.dict());
    case Type::kNamespace:
      return &a.name_space() == &b.name_space();
    case Type::kMacro:
      return &a.macro() == &b.macro();
    default:
      return false;
  }
}

Result<int> compare(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer())
      return a.integer() < b.integer() ? -1 : int(a.integer() > b.integer());
    return a.number() < b.number() ? -1 : int(a.number() > b.number());
  }
  if (a.is_string() && b.is_string()) return a.string().compare(b.string());  // also by code point
  if (a.is_list() && b.is_list()) {
    const auto &x = a.list().items, &y = b.list().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!equal(x[i], y[i])) return compare(x[i], y[i]);
    return x.size() < y.size() ? -1 : int(x.size() > y.size());
  }
  for (const Value* v : {&a, &b})
    if (v->is_undefined()) return invalid_argument(v->undefined_reason());
  return invalid_argument("cannot order " + quoted_type(a) + " and " + quoted_type(b));
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  // Python's repr: the shortest digits that read back, plain from 1e-4 to below 1e16.
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, format);
  std::string text(buffer, end);
  if (plain && text.find('.') == text.npos) text += ".0";
  return text;
}

std::string string_repr(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  const bool has_single = text.find('\'') != text.npos, has_double = text.find('"') != text.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\')
      out += {'\\', c};
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (byte < 0x20 || byte == 0x7f)
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    else
      out += c;
  }
  return out + quote;
}

Result<std::string> to_text(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
      return std::string();
    case Type::kNone:
      return std::string("None");
    case Type::kBool:
      return std::string(value.truthy() ? "True" : "False");
    case Type::kInt:
      return std::to_string(value.integer());
    case Type::kFloat:
      return float_text(value.number());
    case Type::kString:
      return value.string();
    case Type::kList:
      return list_repr(value.list());
    case Type::kDict:
      return dict_repr(value.dict());
    default:
      return invalid_argument("a " + std::string(type_name(value)) + " has no text");
  }
}

Result<std::shared_ptr<const List>> iterate(const Value& value) {
  if (value.is_list()) return value.shared_list();
  std::vector<Value> items;
  if (value.is_dict()) {
    for (const auto& [key, item] : value.dict().items) items.push_back(key);
  } else if (value.is_string()) {
    for (std::string_view rest = value.string(); !rest.empty();) {
      const size_t size = first_char(rest).size;
      items.emplace_back(std::string(rest.substr(0, size)));
      rest.remove_prefix(size);
    }
  } else if (!value.is_undefined()) {
    return invalid_argument(quoted_type(value) + " object is not iterable");
  }
  TERN_ASSIGN(const Value list, make_list(std::move(items)));
  return list.shared_list();
}

}  // namespace tern::jinja
