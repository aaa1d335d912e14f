#include "engine/text/jinja/loop.h"

namespace tern::jinja {
namespace {

/// Looks at the next item without going on to it.
Status peek(Loop& loop) {
  if (loop.after) return {};
  TERN_ASSIGN(loop.after, loop.source.next());
  return {};
}

Result<Value> neighbour(const std::optional<Value>& item, std::string_view name) {
  if (item) return *item;
  return Value::undefined("there is no " + std::string(name) + " item");
}

}  // namespace

Result<bool> advance(Loop& loop) {
  TERN_TRY(peek(loop));
  if (!loop.after) return false;
  loop.before = std::move(loop.current);
  loop.current = std::exchange(loop.after, std::nullopt);
  ++loop.index0;
  return true;
}

Result<int64_t> loop_length(Loop& loop) {
  if (loop.length) return *loop.length;
  std::vector<Value> rest;
  while (true) {
    TERN_ASSIGN(std::optional<Value> item, loop.source.next());
    if (!item) break;
    rest.push_back(*std::move(item));
  }
  loop.length = loop.index0 + 1 + int64_t(loop.after.has_value()) + int64_t(rest.size());
  TERN_ASSIGN(Value list, make_list(std::move(rest)));
  loop.source = Iterator(std::move(list));
  return *loop.length;
}

Result<Value> loop_attribute(Loop& loop, const std::string& name) {
  if (name == "index") return Value(loop.index0 + 1);
  if (name == "index0") return Value(loop.index0);
  if (name == "first") return Value(loop.index0 == 0);
  if (name == "depth") return Value(loop.depth0 + 1);
  if (name == "depth0") return Value(loop.depth0);
  if (name == "previtem")
    return neighbour(loop.index0 == 0 ? std::nullopt : loop.before, "previous");
  if (name == "last" || name == "nextitem") {
    TERN_TRY(peek(loop));
    return name == "last" ? Value(!loop.after) : neighbour(loop.after, "next");
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    TERN_ASSIGN(const int64_t length, loop_length(loop));
    return Value(name == "length" ? length : length - loop.index0 - int64_t(name == "revindex0"));
  }
  return Value::undefined("'LoopContext' object has no attribute " + string_repr(name));
}

Result<std::string> loop_text(Loop& loop) {
  TERN_ASSIGN(const int64_t length, loop_length(loop));
  return "<LoopContext " + std::to_string(loop.index0 + 1) + "/" + std::to_string(length) + ">";
}

}  // namespace tern::jinja
