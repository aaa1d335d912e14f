#include "engine/step/step_passes.h"

#include <algorithm>

namespace tern {

StepPasses::StepPasses(const SchedulerConfig& config) : max_rows_(config.max_num_seqs) {
  rests_.reserve(config.max_num_seqs);
  slices_.reserve(config.max_num_seqs);
  plan_indices_.reserve(config.max_num_seqs);
}

void StepPasses::start(const StepPlan& plan, std::span<const int32_t> first_logits_positions) {
  rests_.clear();
  for (size_t i = 0; i < plan.sequences.size(); ++i) {
    const auto [sequence, num_tokens] = plan.sequences[i];
    const int32_t begin = sequence->num_computed_tokens;
    rests_.push_back({sequence, begin, begin + num_tokens, first_logits_positions[i]});
  }
}

bool StepPasses::next() {
  slices_.clear();
  plan_indices_.clear();
  int32_t rows_left = max_rows_;
  for (size_t i = 0; i < rests_.size(); ++i) {
    Rest& rest = rests_[i];
    const int32_t first_row = std::clamp(rest.first_logits_position, rest.begin, rest.end);
    const int32_t num_rows = std::min(rest.end - first_row, rows_left);
    const int32_t end = first_row + num_rows;
    if (end == rest.begin) continue;
    slices_.push_back({rest.sequence, rest.begin, end, num_rows});
    plan_indices_.push_back(static_cast<int32_t>(i));
    rows_left -= num_rows;
    rest.begin = end;
  }
  return !slices_.empty();
}

}  // namespace tern
