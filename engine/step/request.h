// What the engine is asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/decode/sampling_params.h"
#include "engine/decode/strategies.h"
#include "scheduler/sequence.h"

namespace tern {

/// What a ranker says of an answer's length, in tokens; unknown, of version 0: nothing.
struct LengthScore {
  double expected_tokens = kUnknown;
  uint64_t ranker_version = 0;
};

/// A request whose text is already token ids: the engine thread never tokenises.
struct Request {
  std::string request_id;  ///< for logs; unique among live requests
  /// 1 … max_model_len - 1 (max_model_len where prompt_only), each in [0, vocab_size).
  std::vector<int32_t> prompt_token_ids;
  SamplingParams sampling;
  std::string strategy{kDefaultStrategy};  ///< a name of DecodeStrategies
  bool prompt_only = false;  ///< the prompt is computed, the answer is empty; no max_tokens then
  PriorityClass priority = PriorityClass::kDefault;
  /// What rankers see of the prompt (RankerInput), long ones cut; empty: nothing.
  std::string ranked_prompt;
  int32_t num_turns = 1;
  std::optional<uint32_t> hinted_output_tokens;  ///< what the client expects; never a limit
  LengthScore score;                             ///< Engine::submit() asks its ranker
  std::string peer;    ///< who sent it, for those who list live requests; empty = unknown
  std::string tenant;  ///< separates prefix caches; empty = the common one
  bool bypass_prefix_cache = false;
  std::optional<TimePoint> arrival;  ///< at the server, where its durations begin; unset = submit()
  std::optional<TimePoint> deadline;  ///< ended as kDeadlineExceeded at the first step after it
};

}  // namespace tern
