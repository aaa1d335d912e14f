// The tests of chat templates: {% if value is name(args) %}.
#pragma once

#include "engine/text/jinja/calls.h"

namespace tern::jinja {

struct Test {
  std::string_view name;
  bool has_argument;
  std::string_view parameter;  ///< by which the argument may be named; empty: it may not
  Result<bool> (*run)(Interpreter& interpreter, const Value& value, const Value& argument);
};

/// Null where tern does not know it.
const Test* find_test(std::string_view name);

}  // namespace tern::jinja
