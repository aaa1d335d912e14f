// Dates and times as traces and logs write them.
#pragma once

#include <optional>
#include <string_view>

namespace tern::bench {

/// "2023-11-16 18:15:46.6805900" or "2023-11-16T18:15:46.680Z" as seconds since 1970, UTC; nothing
/// where `text` is neither.
std::optional<double> parse_utc(std::string_view text);

}  // namespace tern::bench
