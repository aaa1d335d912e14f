// `loop` within a `for`.
#pragma once

#include <optional>

#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/value.h"

namespace tern::jinja {

struct Scope;

/// Pulls its items as they are asked for: a condition of the `for` may depend on what the body did
/// before.
struct Loop {
  Iterator source;
  std::optional<int64_t> length;  ///< where it is known
  std::optional<Value> before, current, after;
  int64_t index0 = -1;
  int64_t depth0 = 0;
  const Stmt* recursive = nullptr;  ///< what `loop(items)` runs, if anything
  Scope* scope = nullptr;           ///< around that
  int depth_of_items = 1;
  size_t weight_of_items = 0;
};

/// Goes on to the next item; false at the end.
Result<bool> advance(Loop& loop);

/// `loop.name`, but for its methods.
Result<Value> loop_attribute(Loop& loop, const std::string& name);
Result<int64_t> loop_length(Loop& loop);

/// `{{ loop }}`.
Result<std::string> loop_text(Loop& loop);

}  // namespace tern::jinja
