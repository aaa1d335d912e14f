// Fields of OpenAI, vLLM, SGLang, llama.cpp and Ollama that this server does not serve, sent by
// clients which were written for those.
#pragma once

#include "server/http/fields.h"

namespace tern::http {

enum class Endpoint { kCompletions, kChat };

/// Passes over hints alone: whom a request is from, and what may be kept of it.
void ignore_hints(Fields& fields);

/// Passes over hints, which change no answer here, and takes the values that ask for nothing; any
/// other value is FEATURE_DISABLED. docs/http-api.md lists them.
void read_compat_fields(Fields& fields, Endpoint endpoint);

}  // namespace tern::http
