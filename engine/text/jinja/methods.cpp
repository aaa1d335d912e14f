// Methods of strings and dicts in chat templates.
#include <algorithm>

#include "base/unicode.h"
#include "base/utf8_char.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

struct MethodEntry {
  std::string_view name;
  Result<Value> (*run)(Interpreter& interpreter, const Value& self, const CallArgs& args);
};

using Args = const CallArgs&;

// --- strings ---

template <std::string_view (*kStrip)(std::string_view, std::optional<std::string_view>)>
Result<Value> run_strip(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"chars"}));
  if (!a[0] || a[0]->is_none()) return interpreter.string(std::string(kStrip(self.string(), {})));
  TERN_ASSIGN(const std::string set, a.string(0, ""));
  return interpreter.string(std::string(kStrip(self.string(), set)));
}

Result<Value> strings_to_list(Interpreter& interpreter, std::vector<std::string> strings) {
  std::vector<Value> items;
  for (std::string& text : strings) {
    TERN_ASSIGN(Value item, interpreter.string(std::move(text)));
    items.push_back(std::move(item));
  }
  return interpreter.list(std::move(items));
}

template <std::vector<std::string> (*kSplit)(std::string_view, std::optional<std::string_view>,
                                             int64_t)>
Result<Value> run_split(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"sep", "maxsplit"}));
  TERN_ASSIGN(const int64_t max_splits, a.integer(1, -1));
  if (!a[0] || a[0]->is_none())
    return strings_to_list(interpreter, kSplit(self.string(), {}, max_splits));
  TERN_ASSIGN(const std::string separator, a.string(0, ""));
  if (separator.empty()) return invalid_argument("empty separator");
  return strings_to_list(interpreter, kSplit(self.string(), separator, max_splits));
}

Result<Value> run_split_lines(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"keepends"}));
  return strings_to_list(interpreter, split_lines(self.string(), a.truthy(0, false)));
}

bool starts_with(std::string_view text, std::string_view part) {
  return text.starts_with(part);
}
bool ends_with(std::string_view text, std::string_view part) {
  return text.ends_with(part);
}

template <bool (*kMatches)(std::string_view, std::string_view)>
Result<Value> run_affix(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"affix"}, 1));
  if (a[0]->is_list()) {  // a tuple: any of them
    for (const Value& part : a[0]->list().items)
      if (part.is_string() && kMatches(self.string(), part.string())) return Value(true);
    return Value(false);
  }
  TERN_ASSIGN(const std::string part, a.string(0, ""));
  return Value(kMatches(self.string(), part));
}

template <std::string (*kMap)(std::string_view)>
Result<Value> run_map(Interpreter& interpreter, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return interpreter.string(kMap(self.string()));
}

Result<Value> run_replace(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"old", "new", "count"}, 2));
  TERN_ASSIGN(const std::string old_part, a.string(0, ""));
  TERN_ASSIGN(const std::string new_part, a.string(1, ""));
  TERN_ASSIGN(const int64_t count, a.integer(2, -1));
  TERN_ASSIGN(std::string text,
              replace_all(self.string(), old_part, new_part, count, kMaxStringBytes));
  return interpreter.string(std::move(text));
}

/// Character index of the first or last occurrence, or -1.
template <bool kFromRight, bool kMustExist>
Result<Value> run_find(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"sub"}, 1));
  TERN_ASSIGN(const std::string part, a.string(0, ""));
  const std::string_view text = self.string();
  const size_t at = kFromRight ? text.rfind(part) : text.find(part);
  if (at != text.npos) return Value(int64_t(num_chars(text.substr(0, at))));
  if (kMustExist) return invalid_argument("substring not found");
  return Value(int64_t(-1));
}

Result<Value> run_count(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"sub"}, 1));
  TERN_ASSIGN(const std::string part, a.string(0, ""));
  if (part.empty()) return Value(int64_t(num_chars(self.string())) + 1);
  return Value(int64_t(split(self.string(), part, -1).size()) - 1);
}

Result<Value> run_join(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"iterable"}, 1));
  TERN_ASSIGN(const auto items, iterate(*a[0]));
  std::string text;
  for (size_t i = 0; i < items->items.size(); ++i) {
    const Value& item = items->items[i];
    if (!item.is_string())
      return invalid_argument("join: item " + std::to_string(i) + " is " + quoted_type(item));
    TERN_TRY(interpreter.charge(item.string().size() + self.string().size()));
    if (i > 0) text += self.string();
    text += item.string();
  }
  return interpreter.string(std::move(text));
}

/// Whether there are characters and all of them are ASCII of a kind, or beyond ASCII where
/// `kBeyond`.
template <bool (*kIs)(char), bool kBeyond>
Result<Value> run_is(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  const std::string& text = self.string();
  return Value(!text.empty() && std::all_of(text.begin(), text.end(),
                                            [](char c) { return (c & 0x80) ? kBeyond : kIs(c); }));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_alnum(char c) {
  return is_digit(c) || is_alpha(c);
}

Result<Value> run_isspace(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return Value(!self.string().empty() && strip(self.string()).empty());
}

template <bool kUpper>
Result<Value> run_is_case(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  const std::string upper = to_upper(self.string()), lower = to_lower(self.string());
  return Value(upper != lower && self.string() == (kUpper ? upper : lower));
}

template <bool kPrefix>
Result<Value> run_remove(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"affix"}, 1));
  TERN_ASSIGN(const std::string part, a.string(0, ""));
  std::string_view text = self.string();
  if (kPrefix && text.starts_with(part)) text.remove_prefix(part.size());
  if (!kPrefix && text.ends_with(part)) text.remove_suffix(part.size());
  return interpreter.string(std::string(text));
}

constexpr MethodEntry kStringMethods[] = {
    {"strip", run_strip<strip>},
    {"lstrip", run_strip<strip_left>},
    {"rstrip", run_strip<strip_right>},
    {"split", run_split<split>},
    {"rsplit", run_split<split_from_right>},
    {"splitlines", run_split_lines},
    {"startswith", run_affix<starts_with>},
    {"endswith", run_affix<ends_with>},
    {"upper", run_map<to_upper>},
    {"lower", run_map<to_lower>},
    {"title", run_map<title>},
    {"capitalize", run_map<capitalize>},
    {"replace", run_replace},
    {"find", run_find<false, false>},
    {"rfind", run_find<true, false>},
    {"index", run_find<false, true>},
    {"rindex", run_find<true, true>},
    {"count", run_count},
    {"join", run_join},
    {"isdigit", run_is<is_digit, false>},
    {"isalpha", run_is<is_alpha, true>},
    {"isalnum", run_is<is_alnum, true>},
    {"isspace", run_isspace},
    {"isupper", run_is_case<true>},
    {"islower", run_is_case<false>},
    {"removeprefix", run_remove<true>},
    {"removesuffix", run_remove<false>},
};

// --- dicts ---

Result<Value> run_get(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"key", "default"}, 1));
  const Value* member = self.dict().find(*a[0]);
  return member ? *member : a[1] ? *a[1] : Value();
}

enum class Part { kKeys, kValues, kItems };

template <Part kPart>
Result<Value> run_view(Interpreter& interpreter, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  std::vector<Value> view;
  for (const auto& [key, value] : self.dict().items) {
    Value item = kPart == Part::kKeys ? key : value;
    if (kPart == Part::kItems) {
      TERN_ASSIGN(item, interpreter.list({key, value}, List::Kind::kTuple));
    }
    view.push_back(std::move(item));
  }
  return interpreter.list(std::move(view), List::Kind::kView);
}

Result<Value> run_copy(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return self;  // nothing can change either of the two
}

constexpr MethodEntry kDictMethods[] = {
    {"get", run_get},
    {"keys", run_view<Part::kKeys>},
    {"values", run_view<Part::kValues>},
    {"items", run_view<Part::kItems>},
    {"copy", run_copy},
};

// --- lists ---

Result<Value> run_list_count(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"value"}, 1));
  const auto& items = self.list().items;
  return Value(int64_t(
      std::count_if(items.begin(), items.end(), [&](const Value& v) { return equal(v, *a[0]); })));
}

Result<Value> run_list_index(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"value"}, 1));
  const auto& items = self.list().items;
  const auto it =
      std::find_if(items.begin(), items.end(), [&](const Value& v) { return equal(v, *a[0]); });
  if (it == items.end()) return invalid_argument("the value is not in the list");
  return Value(int64_t(it - items.begin()));
}

constexpr MethodEntry kListMethods[] = {
    {"count", run_list_count}, {"index", run_list_index}, {"copy", run_copy}};

// --- loop ---

Result<Value> run_cycle(Interpreter&, const Value& self, Args args) {
  if (args.positional.empty()) return invalid_argument("no items for cycling given");
  return args.positional[self.loop().index0 % args.positional.size()];
}

constexpr MethodEntry kLoopMethods[] = {{"cycle", run_cycle}};

const MethodEntry* find_method(const Value& self, std::string_view name) {
  const auto among = [&](const auto& table) -> const MethodEntry* {
    const auto* it = std::find_if(std::begin(table), std::end(table),
                                  [&](const MethodEntry& m) { return m.name == name; });
    return it == std::end(table) ? nullptr : it;
  };
  switch (self.type()) {
    case Value::Type::kString:
      return among(kStringMethods);
    case Value::Type::kDict:
      return among(kDictMethods);
    case Value::Type::kList:
      return self.list().kind <= List::Kind::kTuple ? among(kListMethods) : nullptr;
    case Value::Type::kLoop:
      return among(kLoopMethods);
    default:
      return nullptr;
  }
}

}  // namespace

bool has_method(const Value& self, std::string_view name) {
  return find_method(self, name) != nullptr;
}

Result<Value> call_method(Interpreter& interpreter, const Value& self, const std::string& name,
                          const CallArgs& args) {
  auto value = find_method(self, name)->run(interpreter, self, args);
  return value.ok() ? value : value.status().with_context(name + "()");
}

}  // namespace tern::jinja
