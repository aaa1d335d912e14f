// The tests of chat templates: {% if value is name(args) %}.
#pragma once

#include "engine/text/jinja/calls.h"

namespace tern::jinja {

struct Test {
  std::string_view name;
  size_t num_args;
  Result<bool> (*run)(const Value& value, const CallArgs& args);
};

/// Null where tern does not know it.
const Test* find_test(std::string_view name);

}  // namespace tern::jinja
