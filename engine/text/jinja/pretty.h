// Python's pprint.pformat: a repr() over several lines.
#pragma once

#include "engine/text/jinja/calls.h"

namespace tern::jinja {

/// `value` in lines of at most 80 characters where that can be, dicts sorted by their keys.
Result<std::string> pretty(Interpreter& interpreter, const Value& value);

}  // namespace tern::jinja
