// The metadata of a GGUF file as the config.json that Hugging Face has for the same model, so that
// every architecture reads one kind of config.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/status.h"
#include "engine/io/gguf.h"
#include "engine/model/model_config.h"

namespace tern {

/// Keys and meaning as in Hugging Face's files. What GGUF has no field for is what llama.cpp
/// assumes (query_pre_attn_scalar, window patterns, the local RoPE base of Gemma 3); divisors of
/// RoPE's frequencies (rope_freqs, rope_factors_long, rope_factors_short) become longrope's
/// factors. The eos_token_ids are the file's eos, eot and eom ids and those tokens that end a turn
/// by their text. kNotFound and kInvalidArgument naming file and key; kUnimplemented naming an
/// architecture, or what of it tern does not know.
Result<nlohmann::json> gguf_config_json(const GgufFile& file);

/// gguf_config_json(), parsed.
Result<ModelConfig> read_gguf_config(const GgufFile& file);

}  // namespace tern
