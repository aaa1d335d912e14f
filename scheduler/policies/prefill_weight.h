// What a token of a prompt costs beside one of an answer.
#pragma once

#include "scheduler/policy.h"

namespace tern {

extern const PolicyKey kPrefillWeightKey;

/// In output tokens: as an operator has set it, or as the steps show.
class PrefillWeight {
 public:
  explicit PrefillWeight(const PolicyConfig& config)
      : is_learnt_(kPrefillWeightKey.value(config) == kLearn),
        value_(is_learnt_ ? kAtFirst : kPrefillWeightKey.value(config)) {}
  explicit PrefillWeight(double value) : is_learnt_(false), value_(value) {}

  void learn(double weight) {
    if (is_learnt_) value_ = weight;
  }

  /// Returns what it costs to compute those of a sequence's tokens that are not cached.
  double cost(const Sequence& seq) const {
    return value_ * (seq.num_tokens() - seq.num_prefix_tokens);
  }
  double value() const { return value_; }
  bool is_off() const { return !is_learnt_ && value_ == 0; }

 private:
  static constexpr double kLearn = -1, kAtFirst = 0.1;

  bool is_learnt_;
  double value_;
};

}  // namespace tern
