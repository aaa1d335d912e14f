// JSON as Python's json and serde read it: what model directories are written for.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern {

/// Parses as parse_json() does, but takes the last of the names that stand twice in one object, and
/// reads Python's NaN, Infinity and -Infinity as the strings "NaN", …, which are no numbers, and do
/// no harm where nobody asks for them.
Result<nlohmann::json> parse_lenient_json(std::string_view text, const std::string& source);

}  // namespace tern
