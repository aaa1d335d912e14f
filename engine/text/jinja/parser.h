// From the source of a chat template to its program.
#pragma once

#include <string_view>

#include "engine/text/jinja/ast.h"

namespace tern::jinja {

/// kInvalidArgument with the line of a mistake; kUnimplemented with line and name of a tag, filter
/// or test that tern does not know.
Result<Body> parse(std::string_view source);

}  // namespace tern::jinja
