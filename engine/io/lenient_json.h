// JSON as Python's json and serde read it: what model directories are written for.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern {

/// As parse_json(), but of names that stand twice in one object the last counts, and Python's NaN,
/// Infinity and -Infinity are the strings "NaN", … : no number, and no harm where nobody asks.
Result<nlohmann::json> parse_lenient_json(std::string_view text, const std::string& source);

}  // namespace tern
