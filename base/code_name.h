// Codes as people read them.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"

namespace tern {

inline constexpr size_t kNumCodes = 17;

/// "RESOURCE_EXHAUSTED", as gRPC spells it; of a number that is no code: "UNKNOWN".
std::string_view code_name(Code code);

}  // namespace tern
