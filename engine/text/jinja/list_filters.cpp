// Filters on lists and dicts that look at all of them at once.
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;
using Items = std::shared_ptr<const List>;

/// What an item is compared by: an attribute of it where one is given.
Result<Value> key_of(const Value& item, const Value* attribute, bool case_sensitive,
                     const Value* otherwise = nullptr) {
  Value key = item;
  if (attribute && !attribute->is_none()) {
    TERN_ASSIGN(key, attribute_of(item, *attribute, otherwise));
  }
  return case_sensitive ? key : without_case(key);
}

Result<Value> run_join(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"d", "attribute"}));
  TERN_ASSIGN(const Items items, iterate(value));
  TERN_ASSIGN(const std::string separator, a[0] ? to_text(*a[0]) : Result<std::string>(""));
  std::string text;
  for (size_t i = 0; i < items->items.size(); ++i) {
    TERN_ASSIGN(const Value item, key_of(items->items[i], a[1], true));
    TERN_ASSIGN(const std::string part, to_text(item));
    TERN_TRY(interpreter.charge_growth(text.size(), part.size() + separator.size()));
    if (i > 0) text += separator;
    text += part;
  }
  return interpreter.string(std::move(text));
}

Result<Value> run_first(Interpreter&, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(Iterator items, iterator_over(value));
  TERN_ASSIGN(std::optional<Value> item, items.next());
  if (item) return *std::move(item);
  return Value::undefined("No first item, sequence was empty.");
}

Result<Value> run_last(Interpreter&, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  if (value.is_generator()) return invalid_argument("'generator' object is not reversible");
  TERN_ASSIGN(const Items items, iterate(value));
  if (!items->items.empty()) return items->items.back();
  return Value::undefined("No last item, sequence was empty.");
}

Result<Value> run_list(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const Items items, iterate(value));
  return interpreter.list(items->items);
}

/// Sorts `items` by `keys`, which are ordered alike; equal ones keep their order.
Result<std::vector<size_t>> sorted_order(Interpreter& interpreter, const std::vector<Value>& keys,
                                         bool reverse) {
  std::vector<size_t> order(keys.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  Status failure;
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) {
    if (!failure.ok()) return false;
    failure = interpreter.charge_walk(keys[i]);
    const auto result = reverse ? compare(keys[j], keys[i]) : compare(keys[i], keys[j]);
    if (!result.ok()) failure = result.status();
    return result.ok() && *result < 0;
  });
  TERN_TRY(failure);
  return order;
}

Result<Value> sorted(Interpreter& interpreter, const std::vector<Value>& items,
                     const std::vector<Value>& keys, bool reverse) {
  TERN_ASSIGN(const std::vector<size_t> order, sorted_order(interpreter, keys, reverse));
  std::vector<Value> out;
  out.reserve(order.size());
  for (const size_t i : order) out.push_back(items[i]);
  return interpreter.list(std::move(out));
}

/// The keys by several attributes, "a,b.c": a list of them.
Result<Value> keys_of(Interpreter& interpreter, const Value& item, const Value& attributes,
                      bool case_sensitive) {
  const auto names =
      attributes.is_string() ? split(attributes.string(), ",", -1) : std::vector<std::string>();
  if (names.size() < 2) return key_of(item, &attributes, case_sensitive);
  std::vector<Value> keys;
  for (const std::string& name : names) {
    const Value attribute(name);
    TERN_ASSIGN(Value key, key_of(item, &attribute, case_sensitive));
    keys.push_back(std::move(key));
  }
  return interpreter.list(std::move(keys));
}

Result<Value> run_sort(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"reverse", "case_sensitive", "attribute"}));
  TERN_ASSIGN(const Items items, iterate(value));
  const Value attributes = a[2] ? *a[2] : Value();
  std::vector<Value> keys;
  for (const Value& item : items->items) {
    TERN_TRY(interpreter.charge(sizeof(Value)));
    TERN_ASSIGN(Value key, keys_of(interpreter, item, attributes, a.truthy(1, false)));
    keys.push_back(std::move(key));
  }
  return sorted(interpreter, items->items, keys, a.truthy(0, false));
}

Result<Value> run_dictsort(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"case_sensitive", "by", "reverse"}));
  TERN_ASSIGN(const std::string by, a.string(1, "key"));
  if (by != "key" && by != "value")
    return invalid_argument("You can only sort by either \"key\" or \"value\"");
  if (!value.is_dict())
    return type_error(value, quoted_type(value) + " object has no attribute 'items'");
  std::vector<Value> items, keys;
  for (const auto& [name, member] : value.dict().items) {
    TERN_ASSIGN(Value pair, interpreter.list({name, member}, List::Kind::kTuple));
    items.push_back(std::move(pair));
    TERN_ASSIGN(Value key, key_of(by == "key" ? name : member, nullptr, a.truthy(0, false)));
    keys.push_back(std::move(key));
  }
  return sorted(interpreter, items, keys, a.truthy(2, false));
}

/// Lists of the items that have the same key, in the order of the keys.
Result<Value> run_groupby(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"attribute", "default", "case_sensitive"}, 1));
  TERN_ASSIGN(const Items items, iterate(value));
  const bool case_sensitive = a.truthy(2, false);
  const Value* otherwise = a[1] && !a[1]->is_none() ? a[1] : nullptr;
  std::vector<Value> keys;
  for (const Value& item : items->items) {
    TERN_TRY(interpreter.charge(sizeof(Value)));
    TERN_ASSIGN(Value key, key_of(item, a[0], case_sensitive, otherwise));
    keys.push_back(std::move(key));
  }
  TERN_ASSIGN(const std::vector<size_t> order, sorted_order(interpreter, keys, false));
  std::vector<Value> groups;
  for (size_t i = 0; i < order.size();) {
    const size_t first = order[i];
    std::vector<Value> members;
    for (; i < order.size() && equal(keys[order[i]], keys[first]); ++i)
      members.push_back(items->items[order[i]]);
    List group{.kind = List::Kind::kTuple, .is_group = true};
    TERN_ASSIGN(Value grouper, key_of(items->items[first], a[0], true, otherwise));
    TERN_ASSIGN(Value list, interpreter.list(std::move(members)));
    group.items = {std::move(grouper), std::move(list)};
    TERN_ASSIGN(Value tuple, make_list(std::move(group)));
    groups.push_back(std::move(tuple));
  }
  return interpreter.list(std::move(groups));
}

template <bool kMax>
Result<Value> run_extreme(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"case_sensitive", "attribute"}));
  TERN_ASSIGN(const Items items, iterate(value));
  if (items->items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  const Value* best = nullptr;
  Value best_key;
  for (const Value& item : items->items) {
    TERN_TRY(interpreter.charge(0));
    TERN_ASSIGN(Value key, key_of(item, a[1], a.truthy(0, false)));
    if (best) {
      TERN_TRY(interpreter.charge_walk(key));
      TERN_ASSIGN(const bool better, is_ordered(kMax ? ">" : "<", key, best_key));
      if (!better) continue;
    }
    best = &item;
    best_key = std::move(key);
  }
  return *best;
}

Result<Value> run_sum(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"attribute", "start"}));
  TERN_ASSIGN(const Items items, iterate(value));
  Value total = a[1] ? *a[1] : Value(int64_t(0));
  if (total.is_string()) return invalid_argument("sum() can't sum strings");
  for (const Value& item : items->items) {
    TERN_TRY(interpreter.charge(0));
    TERN_ASSIGN(const Value part, key_of(item, a[0], true));
    TERN_ASSIGN(total, arithmetic(interpreter, "+", total, part));
  }
  return total;
}

constexpr Filter kFilters[] = {
    {"join", run_join},       {"first", run_first},        {"last", run_last},
    {"list", run_list},       {"sort", run_sort},          {"dictsort", run_dictsort},
    {"groupby", run_groupby}, {"min", run_extreme<false>}, {"max", run_extreme<true>},
    {"sum", run_sum},
};

}  // namespace

Result<Value> attribute_of(Value value, const Value& attribute, const Value* otherwise) {
  const auto go_on = [&](const Value& key) -> Status {
    TERN_ASSIGN(value, get_item(value, key));
    if (value.is_undefined() && otherwise) value = *otherwise;
    return {};
  };
  if (!attribute.is_string()) {
    if (attribute.is_none()) return value;
    TERN_TRY(go_on(attribute));
    return value;
  }
  for (const std::string& part : split(attribute.string(), ".", -1)) {
    const bool is_index =
        !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos;
    TERN_TRY(go_on(is_index ? Value(int64_t(std::stoi(part))) : Value(part)));
  }
  return value;
}

Value without_case(const Value& value) {
  return value.is_string() ? Value(to_lower(value.string())) : value;
}

const Filter* find_list_filter(std::string_view name) {
  return find_row(kFilters, name);
}

}  // namespace tern::jinja
