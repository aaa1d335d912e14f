// What rankers are trained on and judged by: prompts, and how long their answers were.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/ranker/features.h"

namespace tern {

struct RankExample {
  std::string prompt;
  double length =
      0;  ///< of the answer: tokens, or whatever unit all examples share; 0 to kMaxLength
};

/// Lines of {"prompt": string, "length": number}; other keys are ignored, and so are empty lines.
/// kInvalidArgument naming `source`, line, key, limit and value, also where there is no example.
Result<std::vector<RankExample>> parse_rank_examples(std::string_view text,
                                                     const std::string& source);

/// Examples as vectors. Row i is example i.
struct RankSet {
  std::vector<std::vector<Feature>> features;
  std::vector<double> lengths;
  /// Equal for equal prompts, from 0: what must not stand on both sides of a split.
  std::vector<uint32_t> groups;

  size_t size() const { return lengths.size(); }
};

RankSet make_rank_set(std::span<const RankExample> examples);

}  // namespace tern
