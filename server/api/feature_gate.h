// The fields of the contract whose features this build lacks: they are refused, never ignored.
#pragma once

#include <optional>

#include "server/api/api_error.h"
#include "tern/v1/inference.pb.h"

namespace tern {

/// FEATURE_DISABLED (kUnimplemented) naming the first field of `request` that is set to more than
/// its neutral value and has no effect here.
std::optional<ApiError> check_features(const v1::GenerateRequest& request);

}  // namespace tern
