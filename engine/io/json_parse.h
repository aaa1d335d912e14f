// Strict JSON: what files of other people are read with.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern {

/// Nesting that parse_json accepts.
inline constexpr int kMaxJsonDepth = 128;

/// `text` as JSON. kInvalidArgument naming `source` and line:column of a mistake, a name that
/// stands twice in one object (nlohmann would silently keep one), or nesting over kMaxJsonDepth.
Result<nlohmann::json> parse_json(std::string_view text, const std::string& source);

/// `text` in double quotes for a message: valid UTF-8 whatever it holds, and not endless.
std::string in_quotes(std::string_view text);

}  // namespace tern
