// JSON as the gateway reads and writes it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tern::http {

/// Members keep the order in which they came or were put in.
using Json = nlohmann::ordered_json;

inline constexpr int kMaxJsonDepth = 100;

/// A callback for Json::parse: what is nested deeper is not kept, and `*too_deep` is set.
inline Json::parser_callback_t limit_depth(bool* too_deep) {
  return [too_deep](int depth, Json::parse_event_t, Json&) {
    *too_deep |= depth > kMaxJsonDepth;
    return depth <= kMaxJsonDepth;
  };
}

/// One line; bytes of strings that are no UTF-8 become U+FFFD.
inline std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tern::http
