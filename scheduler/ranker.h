// Who says from a prompt how long its answer will be, so that short answers may be served first.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

/// What a ranker sees of a request: nothing of the served model, and nothing that decoding tells.
struct RankerInput {
  /// The last user turn, or the whole prompt where there are no turns. Any bytes, of any length.
  std::string_view prompt;
  int32_t num_turns = 1;  ///< user turns of the conversation, the last one included; >= 1
};

/// Scores prompts by the length of the answer that is to be expected (PARS, arXiv 2510.03243). All
/// functions are const and may be called by any number of threads at once; scoring takes a time
/// that is bounded whatever the prompt holds.
class Ranker {
 public:
  virtual ~Ranker() = default;

  /// What kind it is: "hashed".
  virtual std::string_view name() const = 0;

  /// Identifies the content of its model. Scores of two versions say nothing of each other: who
  /// keeps scores keeps this beside them, and never compares or mixes two versions.
  virtual uint64_t version() const = 0;

  /// A finite number; the larger, the LONGER the answer, so that shortest-first sorts ascending.
  /// One prompt always gets the same score from one version.
  virtual float score(const RankerInput& input) const = 0;

  /// The mean length, in tokens (the unit of the lengths it was trained on), of answers to prompts
  /// that got this score. Finite, never negative, and never falling as `score` rises. An infinite
  /// score is beyond the ends; of NaN, which no score() is, the middle of the scale is said.
  virtual double expected_output_tokens(float score) const = 0;
};

}  // namespace tern
