// What a request must be before it may wait for the engine.
#pragma once

#include "base/status.h"
#include "engine/serve/engine.h"

namespace tern {

/// Fills in what the model decides (max_tokens 0, the ids of bad words) and checks the rest.
/// kInvalidArgument; kOutOfRange (CONTEXT_EXCEEDED) where prompt + max_tokens is over the context.
/// `tokenizer` may be null. Any thread.
Status check_request(const ModelInfo& info, const Tokenizer* tokenizer, Request& request);

}  // namespace tern
