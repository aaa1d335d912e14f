// Between JSON and the values of chat templates.
#pragma once

#include <nlohmann/json.hpp>

#include "engine/text/jinja/value.h"

namespace tern::jinja {

/// Integers beyond 64 bits keep their digits: those of JSON's own type, and those that
/// quote_big_integers() has marked. kInvalidArgument where the value is nested too deeply or holds
/// strings that are not UTF-8.
Result<Value> from_json(const nlohmann::json& json);
Result<Value> from_json(const nlohmann::ordered_json& json);  ///< members keep their order

/// Python's json.dumps.
struct JsonFormat {
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  std::optional<std::string> indent;  ///< in front for each level; none: all on one line
  bool ensure_ascii = false;
  bool sort_keys = false;
};

/// kInvalidArgument naming the type where the value is not JSON, or where the text exceeds
/// `max_bytes`.
Result<std::string> to_json(const Value& value, const JsonFormat& format, size_t max_bytes);

}  // namespace tern::jinja
