// Whole answers from an in-process engine.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/serve/create.h"

namespace tern {

struct GeneratedAnswer {
  std::string text;
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprobs> logprobs;  ///< of token_ids, where the request wants them
  std::vector<TokenLogprobs>
      prompt_logprobs;  ///< of the prompt, likewise; in the first of n answers
  FinishedEvent finished;
};

/// Submits all requests at once and waits for all answers, in the order of the requests; the n
/// answers of one request follow each other. The first request that is refused or fails is the
/// Status. `on_done` (may be empty) is told how many answers are done.
Result<std::vector<GeneratedAnswer>> generate_all(Engine& engine, std::vector<Request> requests,
                                                  const std::function<void(size_t)>& on_done);

}  // namespace tern
