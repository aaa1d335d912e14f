// Filters on lists and dicts.
#include <algorithm>

#include "base/utf8_char.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;
using Items = std::shared_ptr<const List>;

/// `value.a.b.0` for the attribute "a.b.0" of filters.
Result<Value> attribute_of(Value value, const Value& attribute) {
  if (attribute.is_integer()) return get_item(value, attribute);
  if (!attribute.is_string()) return invalid_argument("an attribute is " + quoted_type(attribute));
  for (const std::string& part : split(attribute.string(), ".", -1)) {
    const bool is_index =
        !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos;
    TERN_ASSIGN(value, get_item(value, is_index ? Value(int64_t(std::stoi(part))) : Value(part)));
  }
  return value;
}

/// What strings are compared by where case does not count.
Value without_case(const Value& value) {
  return value.is_string() ? Value(to_lower(value.string())) : value;
}

Result<Value> run_join(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"d", "attribute"}));
  TERN_ASSIGN(const Items items, iterate(value));
  TERN_ASSIGN(const std::string separator, a.string(0, ""));
  std::string text;
  for (size_t i = 0; i < items->items.size(); ++i) {
    Value item = items->items[i];
    if (a[1]) {
      TERN_ASSIGN(item, attribute_of(item, *a[1]));
    }
    TERN_ASSIGN(const std::string part, to_text(item));
    TERN_TRY(interpreter.charge(part.size() + separator.size()));
    if (i > 0) text += separator;
    text += part;
  }
  return interpreter.string(std::move(text));
}

template <bool kFirst>
Result<Value> run_end(Interpreter&, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const Items items, iterate(value));
  if (items->items.empty())
    return Value::undefined(std::string("no ") + (kFirst ? "first" : "last") +
                            " item, the sequence was empty");
  return kFirst ? items->items.front() : items->items.back();
}

Result<Value> run_list(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const Items items, iterate(value));
  return interpreter.list(items->items);
}

Result<Value> run_reverse(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const Items items, iterate(value));
  std::vector<Value> reversed(items->items.rbegin(), items->items.rend());
  if (!value.is_string()) return interpreter.list(std::move(reversed), List::Kind::kGenerator);
  std::string text;
  for (const Value& character : reversed) text += character.string();
  return interpreter.string(std::move(text));
}

Result<Value> run_items(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  if (value.is_undefined()) return interpreter.list({}, List::Kind::kGenerator);
  if (!value.is_dict()) return invalid_argument("can only get item pairs from a mapping");
  return call_method(interpreter, value, "items", {});
}

/// Sorts `items` by `keys`, which are ordered alike; equal ones keep their order.
Result<std::vector<Value>> sorted(Interpreter& interpreter, const std::vector<Value>& items,
                                  const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> order(items.size());
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
  std::vector<Value> out;
  out.reserve(order.size());
  for (const size_t i : order) out.push_back(items[i]);
  return out;
}

Result<Value> run_sort(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"reverse", "case_sensitive", "attribute"}));
  TERN_ASSIGN(const Items items, iterate(value));
  std::vector<Value> keys;
  for (const Value& item : items->items) {
    Value key = item;
    if (a[2]) {
      TERN_ASSIGN(key, attribute_of(item, *a[2]));
    }
    keys.push_back(a.truthy(1, false) ? key : without_case(key));
  }
  TERN_ASSIGN(std::vector<Value> out, sorted(interpreter, items->items, keys, a.truthy(0, false)));
  return interpreter.list(std::move(out));
}

Result<Value> run_dictsort(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"case_sensitive", "by", "reverse"}));
  TERN_ASSIGN(const std::string by, a.string(1, "key"));
  if (by != "key" && by != "value")
    return invalid_argument("You can only sort by either \"key\" or \"value\"");
  if (!value.is_dict())
    return invalid_argument(quoted_type(value) + " object has no attribute 'items'");
  std::vector<Value> items, keys;
  for (const auto& [name, member] : value.dict().items) {
    TERN_ASSIGN(Value pair, interpreter.list({name, member}, List::Kind::kTuple));
    items.push_back(std::move(pair));
    const Value key = by == "key" ? name : member;
    keys.push_back(a.truthy(0, false) ? key : without_case(key));
  }
  TERN_ASSIGN(std::vector<Value> out, sorted(interpreter, items, keys, a.truthy(2, false)));
  return interpreter.list(std::move(out));
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
    Value key = item;
    if (a[1]) {
      TERN_ASSIGN(key, attribute_of(item, *a[1]));
    }
    if (!a.truthy(0, false)) key = without_case(key);
    if (best) {
      TERN_ASSIGN(const int order, compare(key, best_key));
      if (kMax ? order <= 0 : order >= 0) continue;
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
  for (Value item : items->items) {
    TERN_TRY(interpreter.charge(0));
    if (a[0] && !a[0]->is_none()) {
      TERN_ASSIGN(item, attribute_of(item, *a[0]));
    }
    TERN_ASSIGN(total, arithmetic(interpreter, "+", total, item));
  }
  return total;
}

Result<Value> run_unique(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"case_sensitive"}));
  TERN_ASSIGN(const Items items, iterate(value));
  std::vector<Value> kept, keys;
  for (const Value& item : items->items) {
    const Value key = a.truthy(0, false) ? item : without_case(item);
    TERN_TRY(interpreter.charge(0, 1 + int64_t(keys.size() >> 3)));
    if (std::any_of(keys.begin(), keys.end(), [&](const Value& k) { return equal(k, key); }))
      continue;
    keys.push_back(key);
    kept.push_back(item);
  }
  return interpreter.list(std::move(kept), List::Kind::kGenerator);
}

/// The arguments from the second on.
CallArgs rest_of(Args args, size_t first) {
  CallArgs rest;
  rest.positional.assign(args.positional.begin() + std::min(first, args.positional.size()),
                         args.positional.end());
  rest.named = args.named;
  return rest;
}

Result<Value> run_map(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Items items, iterate(value));
  std::vector<Value> mapped;
  if (args.positional.empty()) {
    TERN_ASSIGN(const Bound a, bind(args, {"attribute", "default"}, 1));
    for (const Value& item : items->items) {
      TERN_TRY(interpreter.charge(0));
      TERN_ASSIGN(Value member, attribute_of(item, *a[0]));
      if (member.is_undefined() && a[1]) member = *a[1];
      mapped.push_back(std::move(member));
    }
    return interpreter.list(std::move(mapped), List::Kind::kGenerator);
  }
  if (!args.positional[0].is_string()) return invalid_argument("map needs the name of a filter");
  const CallArgs filter_args = rest_of(args, 1);
  for (const Value& item : items->items) {
    TERN_ASSIGN(Value result, interpreter.filter(args.positional[0].string(), item, filter_args));
    mapped.push_back(std::move(result));
  }
  return interpreter.list(std::move(mapped), List::Kind::kGenerator);
}

/// select, reject, selectattr, rejectattr: the items for which a test holds, or does not.
template <bool kAttribute, bool kKeep>
Result<Value> run_select(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Items items, iterate(value));
  const size_t at = kAttribute ? 1 : 0;  // of the test's name
  if (args.positional.size() < at) return invalid_argument("lacks the name of the attribute");
  const bool has_test = args.positional.size() > at;
  if (has_test && !args.positional[at].is_string())
    return invalid_argument("the name of the test is no string");
  const CallArgs test_args = rest_of(args, at + 1);
  std::vector<Value> kept;
  for (const Value& item : items->items) {
    TERN_TRY(interpreter.charge(0));
    Value subject = item;
    if (kAttribute) {
      TERN_ASSIGN(subject, attribute_of(item, args.positional[0]));
    }
    bool holds = subject.truthy();
    if (has_test) {
      TERN_ASSIGN(holds, interpreter.test(args.positional[at].string(), subject, test_args));
    }
    if (holds == kKeep) kept.push_back(item);
  }
  return interpreter.list(std::move(kept), List::Kind::kGenerator);
}

constexpr Filter kFilters[] = {
    {"join", run_join},
    {"first", run_end<true>},
    {"last", run_end<false>},
    {"list", run_list},
    {"reverse", run_reverse},
    {"items", run_items},
    {"sort", run_sort},
    {"dictsort", run_dictsort},
    {"min", run_extreme<false>},
    {"max", run_extreme<true>},
    {"sum", run_sum},
    {"unique", run_unique},
    {"map", run_map},
    {"select", run_select<false, true>},
    {"reject", run_select<false, false>},
    {"selectattr", run_select<true, true>},
    {"rejectattr", run_select<true, false>},
};

}  // namespace

const Filter* find_list_filter(std::string_view name) {
  const Filter* filter = std::find_if(std::begin(kFilters), std::end(kFilters),
                                      [&](const Filter& f) { return f.name == name; });
  return filter == std::end(kFilters) ? nullptr : filter;
}

}  // namespace tern::jinja
