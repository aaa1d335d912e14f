// Text files by lines, with errors that name them.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern::bench {

/// read_line(line) for every line that is not blank, less its line end. A failure comes back as
/// "source:LINE: why".
Status for_each_line(std::string_view text, const std::string& source,
                     const std::function<Status(std::string_view)>& read_line);

/// One line that is a JSON object.
Result<nlohmann::json> parse_object(std::string_view line);

/// `object[key]` as a whole number in [least, most].
Result<int64_t> whole_number(const nlohmann::json& object, const char* key, int64_t least,
                             int64_t most);

}  // namespace tern::bench
