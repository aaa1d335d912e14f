#include "engine/text/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/utf8_char.h"
#include "engine/text/jinja/loop.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;

bool items_equal(const List& a, const List& b) {
  return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), equal);
}

/// Views of keys and of items are compared as sets. An item begins with its key.
bool sets_equal(const List& a, const List& b) {
  const bool is_pair = a.kind == List::Kind::kItems;
  Dict members;
  for (const Value& item : b.items) {
    const Value& key = is_pair ? item.list().items[0] : item;
    if (!members.set(key, is_pair ? item.list().items[1] : Value()).ok()) return false;
  }
  return a.items.size() == b.items.size() &&
         std::all_of(a.items.begin(), a.items.end(), [&](const Value& item) {
           const auto other = members.find(is_pair ? item.list().items[0] : item);
           return other.ok() && *other && (!is_pair || equal(item.list().items[1], **other));
         });
}

bool lists_equal(const List& a, const List& b) {
  if (&a == &b) return true;
  if (!a.is_view() || !b.is_view()) return a.kind == b.kind && items_equal(a, b);
  return a.kind == b.kind && a.kind != List::Kind::kValues && sets_equal(a, b);
}

bool dicts_equal(const Dict& a, const Dict& b) {
  return a.items.size() == b.items.size() &&
         std::all_of(a.items.begin(), a.items.end(), [&](const auto& item) {
           const auto other = b.find(item.first);
           return other.ok() && *other && equal(item.second, **other);
         });
}

/// -1, 0 or 1; 2 where a NaN is among them. Exact: a double may lie between two integers.
int compare_integer_and_float(int64_t a, double b) {
  if (std::isnan(b)) return 2;
  if (b >= 0x1p63) return -1;
  if (b < -0x1p63) return 1;
  const auto whole = int64_t(b);
  if (a != whole) return a < whole ? -1 : 1;
  const double rest = b - double(whole);
  return rest > 0 ? -1 : int(rest < 0);
}

int compare_numbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer())
    return a.integer() < b.integer() ? -1 : int(a.integer() > b.integer());
  if (a.is_integer()) return compare_integer_and_float(a.integer(), b.number());
  if (b.is_integer()) {
    const int order = compare_integer_and_float(b.integer(), a.number());
    return order == 2 ? 2 : -order;
  }
  const double x = a.number(), y = b.number();
  if (std::isnan(x) || std::isnan(y)) return 2;
  return x < y ? -1 : int(x > y);
}

/// A text that keys have in common just where they are equal.
Status append_key(std::string& out, const Value& key) {
  const auto append_bytes = [&](char kind, const void* bytes, size_t size) {
    out += kind;
    out.append(static_cast<const char*>(bytes), size);
  };
  if (key.is_integer()) {
    const int64_t number = key.integer();
    append_bytes('i', &number, sizeof number);
  } else if (key.is_float()) {
    const double number = key.number();
    if (number >= -0x1p63 && number < 0x1p63 && number == std::floor(number))
      return append_key(out, Value(int64_t(number)));
    append_bytes('f', &number, sizeof number);
  } else if (key.is_string()) {
    const size_t size = key.string().size();
    append_bytes('s', &size, sizeof size);
    out += key.string();
  } else if (key.is_list(List::Kind::kTuple)) {
    out += '(';
    for (const Value& item : key.list().items) TERN_TRY(append_key(out, item));
    out += ')';
  } else if (key.is_none() || key.is_undefined()) {
    out += key.is_none() ? 'n' : 'u';
  } else {
    return invalid_argument("unhashable type: " + quoted_type(key));
  }
  return {};
}

}  // namespace

const Value* Dict::find(const std::string& key) const {
  const auto it = by_string.find(key);
  return it == by_string.end() ? nullptr : &items[it->second].second;
}

Result<const Value*> Dict::find(const Value& key) const {
  if (key.is_string()) return find(key.string());
  std::string text;
  TERN_TRY(append_key(text, key));
  const auto it = by_other.find(text);
  return it == by_other.end() ? nullptr : &items[it->second].second;
}

void Dict::set_at(std::pair<std::unordered_map<std::string, size_t>::iterator, bool> slot,
                  Value key, Value value) {
  if (slot.second)
    items.emplace_back(std::move(key), std::move(value));
  else
    items[slot.first->second].second = std::move(value);
}

void Dict::set(std::string key, Value value) {
  const auto slot = by_string.emplace(key, items.size());
  set_at(slot, Value(std::move(key)), std::move(value));
}

Status Dict::set(Value key, Value value) {
  if (key.is_string()) {
    const auto slot = by_string.emplace(key.string(), items.size());
    set_at(slot, std::move(key), std::move(value));
    return {};
  }
  std::string text;
  TERN_TRY(append_key(text, key));
  const auto slot = by_other.emplace(std::move(text), items.size());
  set_at(slot, std::move(key), std::move(value));
  return {};
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

const std::string* Value::text_in_place() const {
  const std::optional<std::string>* text = is_list()   ? &list().text
                                           : is_dict() ? &own_dict().text
                                                       : nullptr;
  return text && text->has_value() ? &**text : nullptr;
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
      return !list().items.empty();
    case Type::kDict:
      return !own_dict().items.empty();
    default:
      return true;
  }
}

int Value::depth() const {
  switch (type()) {
    case Type::kList:
      return list().depth;
    case Type::kDict:
      return own_dict().depth;
    case Type::kGenerator:
      return generator()->depth;
    case Type::kLoop:
      return loop().depth_of_items + 1;
    case Type::kMethod:
      return method().self.depth() + 1;
    default:
      return 0;
  }
}

size_t Value::weight() const {
  constexpr size_t kOwn = sizeof(Value), kShared = 16;  // what counts the references
  switch (type()) {
    case Type::kString:
      return kOwn + sizeof(String) + kShared + string().size();
    case Type::kList:
      return kOwn + list().weight;
    case Type::kDict:
      return kOwn + own_dict().weight;
    case Type::kGenerator:
      return kOwn + generator()->weight;
    case Type::kLoop:
      return kOwn + loop().weight_of_items;
    case Type::kMethod:
      return kOwn + method().self.weight();
    default:
      return kOwn;
  }
}

bool Value::is_same(const Value& other) const {
  if (type() != other.type()) return false;
  if (is_list()) return &list() == &other.list();
  if (is_dict()) return &dict() == &other.dict();
  return is(Type::kMethod) ? &method() == &other.method() : equal(*this, other);
}

namespace {

/// Adds a member to the depth and weight of what holds it.
template <class Container>
void account(Container& container, const Value& member) {
  container.depth = std::max(container.depth, member.depth() + 1);
  container.weight += member.weight();
}

template <class Container>
Status check(const Container& container) {
  if (container.depth > kMaxValueDepth) return invalid_argument("a value is nested too deeply");
  if (container.weight > kMaxValueBytes)
    return invalid_argument("a value exceeds " + std::to_string(kMaxValueBytes) + " bytes");
  return {};
}

}  // namespace

Result<Value> make_list(List list) {
  list.depth = 1;
  list.weight = 0;
  for (const Value& item : list.items) account(list, item);
  TERN_TRY(check(list));
  return Value(std::make_shared<const List>(std::move(list)));
}

Result<Value> make_list(std::vector<Value> items, List::Kind kind) {
  List list;
  list.items = std::move(items);
  list.kind = kind;
  return make_list(std::move(list));
}

Result<Value> make_dict(Dict dict) {
  dict.depth = 1;
  dict.weight = 0;
  for (const auto& [key, item] : dict.items) {
    account(dict, key);
    account(dict, item);
  }
  TERN_TRY(check(dict));
  return Value(std::make_shared<const Dict>(std::move(dict)));
}

Result<Value> make_generator(Generator::Next next, std::initializer_list<Value> sources) {
  Generator generator;
  generator.next = std::move(next);
  for (const Value& source : sources) account(generator, source);
  TERN_TRY(check(generator));
  return Value(std::make_shared<Generator>(std::move(generator)));
}

std::string_view type_name(const Value& value) {
  constexpr std::string_view kNames[] = {
      "Undefined",   "NoneType", "bool",      "int",       "float",  "str",
      "list",        "dict",     "generator", "Namespace", "Cycler", "Joiner",
      "LoopContext", "Macro",    "function",  "method",    "int"};
  constexpr std::string_view kLists[] = {"list",      "tuple",       "range",
                                         "dict_keys", "dict_values", "dict_items"};
  if (value.is_list()) return kLists[size_t(value.list().kind)];
  return value.is_markup() ? "Markup" : kNames[size_t(value.type())];
}

std::string quoted_type(const Value& value) {
  std::string text = "'";
  text += type_name(value);
  return text + "'";
}

Status check_size(const Value& a, const Value& b) {
  for (const Value* v : {&a, &b})
    if (v->is_big_integer())
      return invalid_argument("the integer " + v->big_integer() +
                              " is beyond 64 bits: it can be printed, not computed with");
  return {};
}

Status type_error(const Value& value, std::string message) {
  TERN_TRY(check_size(value, value));
  return invalid_argument(value.is_undefined() ? value.undefined_reason() : std::move(message));
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::kUndefined:
    case Type::kNone:
      return true;
    case Type::kString:
      return a.string() == b.string();
    case Type::kList:
      return lists_equal(a.list(), b.list());
    case Type::kDict:
      return &a.dict() == &b.dict() || dicts_equal(a.dict(), b.dict());
    case Type::kGenerator:
      return a.generator() == b.generator();
    case Type::kNamespace:
      return &a.name_space() == &b.name_space();
    case Type::kCycler:
      return &a.cycler() == &b.cycler();
    case Type::kJoiner:
      return &a.joiner() == &b.joiner();
    case Type::kLoop:
      return &a.loop() == &b.loop();
    case Type::kMacro:
      return &a.macro() == &b.macro();
    case Type::kFunction:
      return &a.function() == &b.function();
    case Type::kBigInteger:
      return a.big_integer() == b.big_integer();
    default:
      return false;
  }
}

Result<int> compare(const Value& a, const Value& b) {
  TERN_TRY(check_size(a, b));
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is_string() && b.is_string()) return a.string().compare(b.string());  // also by code point
  const bool are_lists = a.is_list() && b.is_list() && a.list().kind == b.list().kind &&
                         a.list().kind <= List::Kind::kTuple;
  if (are_lists) {
    const auto &x = a.list().items, &y = b.list().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!equal(x[i], y[i])) return compare(x[i], y[i]);
    return x.size() < y.size() ? -1 : int(x.size() > y.size());
  }
  for (const Value* v : {&a, &b})
    if (v->is_undefined()) return invalid_argument(v->undefined_reason());
  return invalid_argument("cannot order " + quoted_type(a) + " and " + quoted_type(b));
}

Result<bool> is_ordered(std::string_view op, const Value& a, const Value& b) {
  TERN_ASSIGN(const int order, compare(a, b));
  const bool is_nan = order == 2 && a.is_number();
  if (is_nan) return false;
  return op == "<" ? order < 0 : op == "<=" ? order <= 0 : op == ">" ? order > 0 : order >= 0;
}

Result<std::optional<Value>> Iterator::next() {
  std::optional<Value> item;
  if (value_.is_generator()) return value_.generator()->next();
  if (value_.is_list() && at_ < value_.list().items.size())
    item = value_.list().items[at_++];
  else if (value_.is_dict() && at_ < value_.dict().items.size())
    item = value_.dict().items[at_++].first;
  else if (value_.is_string() && at_ < value_.string().size()) {
    const std::string_view rest = std::string_view(value_.string()).substr(at_);
    const size_t size = first_char(rest).size;
    item = Value(std::string(rest.substr(0, size)));
    at_ += size;
  }
  return item;
}

std::optional<int64_t> Iterator::length() const {
  if (value_.is_generator()) return std::nullopt;
  if (value_.is_list()) return int64_t(value_.list().items.size());
  if (value_.is_dict()) return int64_t(value_.dict().items.size());
  return value_.is_string() ? int64_t(num_chars(value_.string())) : 0;
}

Result<Iterator> iterator_over(const Value& value) {
  const bool iterable = value.is_generator() || value.is_list() || value.is_dict() ||
                        value.is_string() || value.is_undefined();
  if (iterable) return Iterator(value);
  if (value.is_blank_none()) return Iterator();
  return invalid_argument(quoted_type(value) + " object is not iterable");
}

Result<std::shared_ptr<const List>> iterate(const Value& value) {
  if (value.is_list()) return value.shared_list();
  TERN_ASSIGN(Iterator iterator, iterator_over(value));
  std::vector<Value> items;
  size_t bytes = 0;
  while (bytes <= kMaxValueBytes) {
    TERN_ASSIGN(std::optional<Value> item, iterator.next());
    if (!item) break;
    bytes += item->weight();
    items.push_back(*std::move(item));
  }
  TERN_ASSIGN(const Value list, make_list(std::move(items)));
  return list.shared_list();
}

}  // namespace tern::jinja
