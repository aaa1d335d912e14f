// The fields of the contract whose features this build lacks: they are refused, never ignored.
#pragma once

#include <optional>

#include "server/api_error.h"

namespace tern {

/// FEATURE_DISABLED (kUnimplemented) naming the first field of `request` that is set to more than
/// its neutral value and has no effect here. `request`: a tern.v1.GenerateRequest or a
/// tern.v1.ChatInput.
std::optional<ApiError> check_features(const google::protobuf::Message& request);

}  // namespace tern
