// The filters of chat templates: {{ value | name(args) }}.
#pragma once

#include "engine/text/jinja/calls.h"

namespace tern::jinja {

struct Filter {
  std::string_view name;
  Result<Value> (*run)(Interpreter& interpreter, const Value& value, const CallArgs& args);
};

/// Null where tern does not know it.
const Filter* find_filter(std::string_view name);

// The filters on lists and dicts, whose table stands in a file of its own.
const Filter* find_list_filter(std::string_view name);

}  // namespace tern::jinja
