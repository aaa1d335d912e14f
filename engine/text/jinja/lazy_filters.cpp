// Filters that give generators: what they do to an item, they do when it is asked for.
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/interpreter.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;
using MaybeValue = std::optional<Value>;

/// The arguments from `first` on.
CallArgs rest_of(Args args, size_t first) {
  CallArgs rest;
  rest.positional.assign(args.positional.begin() + int64_t(std::min(first, args.positional.size())),
                         args.positional.end());
  rest.named = args.named;
  return rest;
}

/// A generator over `value`, what `args` hold and `next`.
Result<Value> generator(Interpreter& interpreter, const Value& value, Args args,
                        Generator::Next next) {
  std::vector<Value> held = args.positional;
  for (const auto& [name, member] : args.named) held.push_back(member);
  TERN_ASSIGN(const Value arguments, interpreter.list(std::move(held)));
  return make_generator(std::move(next), {value, arguments});
}

/// The items of a value that is looked at when the first of them is asked for.
class Source {
 public:
  explicit Source(Interpreter& interpreter, Value value)
      : interpreter_(&interpreter), value_(std::move(value)) {}

  Result<MaybeValue> next() {
    TERN_TRY(interpreter_->charge(0));
    if (!iterator_) {
      TERN_ASSIGN(iterator_, iterator_over(value_));
    }
    return iterator_->next();
  }

 private:
  Interpreter* interpreter_;
  Value value_;
  std::optional<Iterator> iterator_;
};

// What is empty or false has no items for `map` and `select`, even where it cannot be iterated.
Value items_of(const Value& value) {
  return value.truthy() ? value : Value::undefined("");
}

Result<Value> map_attribute(const CallArgs& args, const Value& item) {
  TERN_ASSIGN(const Bound a, bind(args, {"attribute", "default"}, 1));
  return attribute_of(item, *a[0], a[1] && !a[1]->is_none() ? a[1] : nullptr);
}

Result<Value> run_map(Interpreter& interpreter, const Value& value, Args args) {
  const auto next = [&interpreter, source = Source(interpreter, items_of(value)),
                     args]() mutable -> Result<MaybeValue> {
    TERN_ASSIGN(const MaybeValue item, source.next());
    if (!item) return MaybeValue();
    const bool by_attribute =
        args.positional.empty() &&
        std::any_of(args.named.begin(), args.named.end(),
                    [](const auto& argument) { return argument.first == "attribute"; });
    if (!by_attribute && args.positional.empty())
      return invalid_argument("map requires a filter argument");
    if (!by_attribute && !args.positional[0].is_string())
      return invalid_argument("map needs the name of a filter");
    TERN_ASSIGN(Value mapped, by_attribute ? map_attribute(args, *item)
                                           : interpreter.filter(args.positional[0].string(), *item,
                                                                rest_of(args, 1)));
    return MaybeValue(std::move(mapped));
  };
  return generator(interpreter, value, args, next);
}

/// Whether `item` passes the test that `args` name from `at` on.
Result<bool> passes(Interpreter& interpreter, const Value& item, Args args, size_t at) {
  if (args.positional.size() <= at) return item.truthy();
  if (!args.positional[at].is_string())
    return invalid_argument("the name of the test is no string");
  return interpreter.test(args.positional[at].string(), item, rest_of(args, at + 1));
}

/// select, reject, selectattr, rejectattr: the items for which a test holds, or does not.
template <bool kAttribute, bool kKeep>
Result<Value> run_select(Interpreter& interpreter, const Value& value, Args args) {
  const auto next = [&interpreter, source = Source(interpreter, items_of(value)),
                     args]() mutable -> Result<MaybeValue> {
    while (true) {
      TERN_ASSIGN(const MaybeValue item, source.next());
      if (!item) return MaybeValue();
      if (kAttribute && args.positional.empty())
        return invalid_argument("Missing parameter for attribute name");
      Value subject = *item;
      if (kAttribute) {
        TERN_ASSIGN(subject, attribute_of(subject, args.positional[0]));
      }
      TERN_ASSIGN(const bool holds, passes(interpreter, subject, args, kAttribute ? 1 : 0));
      if (holds == kKeep) return item;
    }
  };
  return generator(interpreter, value, args, next);
}

Result<Value> run_unique(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {"case_sensitive", "attribute"}).status());
  const auto next = [&interpreter, source = Source(interpreter, value), args,
                     seen = Dict()]() mutable -> Result<MaybeValue> {
    TERN_ASSIGN(const Bound a, bind(args, {"case_sensitive", "attribute"}));
    while (true) {
      TERN_ASSIGN(const MaybeValue item, source.next());
      if (!item) return MaybeValue();
      Value key = *item;
      if (a[1] && !a[1]->is_none()) {
        TERN_ASSIGN(key, attribute_of(key, *a[1]));
      }
      if (!a.truthy(0, false)) key = without_case(key);
      TERN_ASSIGN(const Value* known, seen.find(key));
      if (known) continue;
      TERN_TRY(interpreter.charge(key.weight()));
      TERN_TRY(seen.set(key, Value()));
      return item;
    }
  };
  return generator(interpreter, value, args, next);
}

Result<Value> run_batch(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"linecount", "fill_with"}, 1));
  TERN_ASSIGN(const int64_t size, a.integer(0, 0));
  const Value fill = a[1] ? *a[1] : Value();
  const auto next = [&interpreter, source = Source(interpreter, value), fill, size,
                     left = MaybeValue()]() mutable -> Result<MaybeValue> {
    std::vector<Value> batch;
    if (left) batch.push_back(*std::exchange(left, std::nullopt));
    while (true) {
      TERN_ASSIGN(MaybeValue item, source.next());
      if (!item) break;
      // Jinja looks before it adds: a size of 0 gives one empty batch and then all the rest.
      if (int64_t(batch.size()) == size) {
        left = std::move(item);
        TERN_ASSIGN(Value list, interpreter.list(std::move(batch)));
        return MaybeValue(std::move(list));
      }
      batch.push_back(*std::move(item));
    }
    if (batch.empty()) return MaybeValue();
    const int64_t lacking = fill.is_none() ? 0 : size - int64_t(batch.size());
    if (lacking > 0) {
      TERN_TRY(interpreter.charge_string(size_t(lacking)));
      TERN_TRY(interpreter.charge(size_t(lacking) * sizeof(Value)));
      batch.insert(batch.end(), size_t(lacking), fill);
    }
    TERN_ASSIGN(Value list, interpreter.list(std::move(batch)));
    return MaybeValue(std::move(list));
  };
  return generator(interpreter, value, args, next);
}

/// `value` in `count` lists, as even as can be; the shorter ones get `fill`.
Result<Value> slices(Interpreter& interpreter, const Value& value, int64_t count,
                     const Value& fill) {
  TERN_ASSIGN(const auto items, iterate(value));
  if (count == 0) return invalid_argument("integer division or modulo by zero");
  const auto size = int64_t(items->items.size());
  TERN_TRY(interpreter.charge(size_t(std::max<int64_t>(count, 0)), std::max<int64_t>(count, 0)));
  std::vector<Value> lists;
  auto at = items->items.begin();
  for (int64_t i = 0; i < count; ++i) {
    const bool is_longer = i < size % count;
    const auto end = at + size / count + int64_t(is_longer);
    std::vector<Value> slice(at, end);
    at = end;
    if (!is_longer && !fill.is_none()) slice.push_back(fill);
    TERN_ASSIGN(Value list, interpreter.list(std::move(slice)));
    lists.push_back(std::move(list));
  }
  return interpreter.list(std::move(lists));
}

/// A generator over the items of what `make` gives when the first of them is asked for.
template <class Make>
Result<Value> deferred(Interpreter& interpreter, const Value& value, Args args, Make make) {
  const auto next = [make, source = std::optional<Iterator>()]() mutable -> Result<MaybeValue> {
    if (!source) {
      TERN_ASSIGN(const Value all, make());
      TERN_ASSIGN(source, iterator_over(all));
    }
    return source->next();
  };
  return generator(interpreter, value, args, next);
}

Result<Value> run_slice(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"slices", "fill_with"}, 1));
  TERN_ASSIGN(const int64_t count, a.integer(0, 0));
  const Value fill = a[1] ? *a[1] : Value();
  return deferred(interpreter, value, args, [&interpreter, value, count, fill] {
    return slices(interpreter, value, count, fill);
  });
}

Result<Value> run_items(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  return deferred(interpreter, value, args, [&interpreter, value]() -> Result<Value> {
    if (value.is_undefined()) return value;
    if (!value.is_dict()) return invalid_argument("Can only get item pairs from a mapping.");
    return call_method(interpreter, value, "items", {});
  });
}

Result<Value> run_reverse(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const auto items, iterate(value));
  std::vector<Value> reversed(items->items.rbegin(), items->items.rend());
  if (value.is_string()) {
    std::string text;
    for (const Value& character : reversed) text += character.string();
    return interpreter.string(String{std::move(text), value.is_markup()});
  }
  TERN_ASSIGN(const Value list, interpreter.list(std::move(reversed)));
  if (value.is_generator()) return list;
  return deferred(interpreter, list, args, [list]() -> Result<Value> { return list; });
}

constexpr Filter kFilters[] = {
    {"map", run_map},
    {"select", run_select<false, true>},
    {"reject", run_select<false, false>},
    {"selectattr", run_select<true, true>},
    {"rejectattr", run_select<true, false>},
    {"unique", run_unique},
    {"batch", run_batch},
    {"slice", run_slice},
    {"items", run_items},
    {"reverse", run_reverse},
};

}  // namespace

const Filter* find_lazy_filter(std::string_view name) {
  return find_row(kFilters, name);
}

}  // namespace tern::jinja
