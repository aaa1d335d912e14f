// What answers at once: models, text to tokens and back, the state of the server.
#pragma once

#include "server/api/serving_state.h"
#include "server/http/fields.h"
#include "server/http/message.h"

namespace tern::http {

/// GET /v1/models. `created`: Unix seconds, when this server began.
Response list_models(const ServingState& state, int64_t created);

/// GET /v1/models/{id}.
Response get_model(const ServingState& state, const std::string& id, int64_t created);

/// `ignored`: as Fields has it.
Response tokenize(const Request& request, const ServingState& state, IgnoredFields* ignored);
Response detokenize(const Request& request, const ServingState& state, IgnoredFields* ignored);

/// 200 where requests are served, else 503 with the reason.
Response health(const ServingState& state);

/// 200: the process answers.
Response live();

Response version();

}  // namespace tern::http
