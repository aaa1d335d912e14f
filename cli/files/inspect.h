// What a model directory holds, without loading it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/status.h"

namespace tern {

/// Reads headers only. Keys: name, directory, architecture, parameters, bytes,
/// bytes_by_format{dtype: bytes}, vocab_size, layers, hidden, heads, kv_heads, head_dim, context,
/// kv_bytes_per_token, tokenizer, chat_template, chat_template_problems, tensors[{name, shape,
/// dtype, bytes}].
Result<nlohmann::json> inspect_model(const std::string& model);

}  // namespace tern
