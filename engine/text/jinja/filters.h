// The filters of chat templates: {{ value | name(args) }}.
#pragma once

#include <algorithm>

#include "engine/text/jinja/calls.h"

namespace tern::jinja {

struct Filter {
  std::string_view name;
  Result<Value> (*run)(Interpreter& interpreter, const Value& value, const CallArgs& args);
};

/// Null where tern does not know it.
const Filter* find_filter(std::string_view name);

// The tables that it looks into, each in a file of its own.
const Filter* find_number_filter(std::string_view name);
const Filter* find_html_filter(std::string_view name);
const Filter* find_list_filter(std::string_view name);
const Filter* find_lazy_filter(std::string_view name);

/// The row of `table` with that name, or null.
template <size_t kSize>
const Filter* find_row(const Filter (&table)[kSize], std::string_view name) {
  const auto* row = std::find_if(std::begin(table), std::end(table),
                                 [&](const Filter& filter) { return filter.name == name; });
  return row == std::end(table) ? nullptr : row;
}

/// `value.a.b.0` for the attribute "a.b.0" of filters; `otherwise`, if not null, for what there is
/// not on the way.
Result<Value> attribute_of(Value value, const Value& attribute, const Value* otherwise = nullptr);

/// What strings are compared by where case does not count.
Value without_case(const Value& value);

}  // namespace tern::jinja
