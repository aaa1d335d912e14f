// What `tern score` computes: the log-probabilities of a given text.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/status.h"

namespace tern {

struct ScoreTextOptions {
  std::string model;  ///< directory, GGUF file or bundled name
  std::string text;
  std::string compute = "default";  ///< "default", "fast" or "f32"
  int32_t num_threads = 0;          ///< 0 = all CPUs
  std::string device = "cpu";       ///< open_device()
  bool add_special_tokens = true;   ///< BOS and the like, as the tokenizer's file says
};

/// Keys: token_ids, pieces; logprobs: natural logarithms, null for the first token; sum.
/// kInvalidArgument where the text is longer than the model's context or has no token.
Result<nlohmann::json> score_text(const ScoreTextOptions& options);

}  // namespace tern
