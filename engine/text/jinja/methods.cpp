// Methods of dicts, lists and the smaller kinds of values.
#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/text/jinja/interpreter.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;
using Type = Value::Type;

// --- dicts ---

Result<Value> run_get(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", ""}, 1));
  TERN_ASSIGN(const Value* member, self.dict().find(*a[0]));
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
  constexpr List::Kind kKind = kPart == Part::kKeys     ? List::Kind::kKeys
                               : kPart == Part::kValues ? List::Kind::kValues
                                                        : List::Kind::kItems;
  return interpreter.list(std::move(view), kKind);
}

Result<Value> run_copy(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return self;  // nothing can change either of the two
}

Result<Value> run_fromkeys(Interpreter& interpreter, const Value&, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", ""}, 1));
  TERN_ASSIGN(const auto keys, iterate(*a[0]));
  TERN_TRY(interpreter.charge(keys->items.size() * sizeof(Value)));
  Dict dict;
  for (const Value& key : keys->items) TERN_TRY(dict.set(key, a[1] ? *a[1] : Value()));
  return make_dict(std::move(dict));
}

constexpr MethodEntry kDictMethods[] = {
    {"get", run_get},
    {"keys", run_view<Part::kKeys>},
    {"values", run_view<Part::kValues>},
    {"items", run_view<Part::kItems>},
    {"copy", run_copy},
    {"fromkeys", run_fromkeys},
};

constexpr MethodEntry kDictFunctionMethods[] = {{"fromkeys", run_fromkeys}};

// --- lists ---

Result<Value> run_list_count(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {""}, 1));
  TERN_TRY(interpreter.charge_walk(self));
  const auto& items = self.list().items;
  return Value(int64_t(
      std::count_if(items.begin(), items.end(), [&](const Value& v) { return equal(v, *a[0]); })));
}

Result<Value> run_list_index(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", "", ""}, 1));
  TERN_TRY(interpreter.charge_walk(self));
  const auto& items = self.list().items;
  const auto size = int64_t(items.size());
  TERN_ASSIGN(int64_t begin, a.integer(1, 0));
  TERN_ASSIGN(int64_t end, a.integer(2, size));
  begin = std::clamp<int64_t>(begin < 0 ? begin + size : begin, 0, size);
  end = std::clamp<int64_t>(end < 0 ? end + size : end, begin, size);
  const auto it = std::find_if(items.begin() + begin, items.begin() + end,
                               [&](const Value& v) { return equal(v, *a[0]); });
  if (it == items.begin() + end) return invalid_argument("the value is not in the list");
  return Value(int64_t(it - items.begin()));
}

constexpr MethodEntry kListMethods[] = {
    {"count", run_list_count}, {"index", run_list_index}, {"copy", run_copy}};
constexpr MethodEntry kTupleMethods[] = {{"count", run_list_count}, {"index", run_list_index}};

// --- numbers ---

uint64_t magnitude(const Value& value) {
  const int64_t number = value.integer();
  return number < 0 ? uint64_t(0) - uint64_t(number) : uint64_t(number);
}

Result<Value> run_bit_length(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return Value(int64_t(std::bit_width(magnitude(self))));
}

Result<Value> run_bit_count(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return Value(int64_t(std::popcount(magnitude(self))));
}

Result<Value> run_conjugate(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return self.is_float() ? self : Value(self.integer());
}

Result<Value> run_is_integer(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return Value(std::isfinite(self.number()) && self.number() == std::floor(self.number()));
}

constexpr MethodEntry kIntMethods[] = {
    {"bit_length", run_bit_length}, {"bit_count", run_bit_count}, {"conjugate", run_conjugate}};
constexpr MethodEntry kFloatMethods[] = {{"is_integer", run_is_integer},
                                         {"conjugate", run_conjugate}};

// --- loop, cycler ---

Result<Value> run_cycle(Interpreter&, const Value& self, Args args) {
  if (args.positional.empty() || !args.named.empty())
    return invalid_argument("no items for cycling given");
  return args.positional[size_t(self.loop().index0) % args.positional.size()];
}

Result<Value> run_changed(Interpreter& interpreter, const Value& self, Args args) {
  if (!args.named.empty()) return invalid_argument("takes no named arguments");
  TERN_ASSIGN(const Value values, interpreter.list(args.positional, List::Kind::kTuple));
  TERN_TRY(interpreter.charge_walk(values));
  return Value(interpreter.loop_changed(self.loop(), values));
}

Result<Value> run_next(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  Cycler& cycler = self.cycler();
  const size_t at = std::exchange(cycler.at, (cycler.at + 1) % cycler.items.size());
  return cycler.items[at];
}

Result<Value> run_reset(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  self.cycler().at = 0;
  return Value();
}

constexpr MethodEntry kLoopMethods[] = {{"cycle", run_cycle}, {"changed", run_changed}};
constexpr MethodEntry kCyclerMethods[] = {{"next", run_next}, {"reset", run_reset}};

const MethodEntry* find_method(const Value& self, std::string_view name) {
  const auto among = [&](const auto& table) -> const MethodEntry* {
    const auto* it = std::find_if(std::begin(table), std::end(table),
                                  [&](const MethodEntry& m) { return m.name == name; });
    return it == std::end(table) ? nullptr : it;
  };
  switch (self.type()) {
    case Type::kString:
      return find_string_method(name);
    case Type::kDict:
      return among(kDictMethods);
    case Type::kList:
      if (self.list().is_view()) return nullptr;
      return self.is_list(List::Kind::kList) ? among(kListMethods) : among(kTupleMethods);
    case Type::kBool:
    case Type::kInt:
      return among(kIntMethods);
    case Type::kFloat:
      return among(kFloatMethods);
    case Type::kLoop:
      return among(kLoopMethods);
    case Type::kCycler:
      return among(kCyclerMethods);
    case Type::kFunction:
      return self.function().name == "dict" ? among(kDictFunctionMethods) : nullptr;
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
