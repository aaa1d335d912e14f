// A strategy for tests that drafts: what it guesses is the test's business, and its answers are
// those of the autoregressive strategy, in fewer steps.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "engine/decode/decode_strategy.h"

namespace tern {

/// A test derives from it and says in demand() what is drafted.
class DraftingStrategy : public DecodeStrategy {
 public:
  DraftingStrategy(const Tokenizer* tokenizer, const std::vector<int32_t>& eos_token_ids)
      : autoregressive_(make_autoregressive(tokenizer, eos_token_ids)) {}

  DecodeState start(const SamplingParams& params, std::span<const int32_t> prompt) const override {
    return autoregressive_->start(params, prompt);
  }

  // As if each row was a step of its own, as long as the drafts are what comes.
  Result<Commit> commit(DecodeState& state, const SampledRows& rows) const override {
    const std::span<const int32_t> drafts = rows.draft_token_ids;
    std::vector<int32_t> output(rows.output_token_ids.begin(), rows.output_token_ids.end());
    Commit all;
    for (size_t row = 0; row < rows.token_ids.size(); ++row) {
      Result<Commit> one =
          autoregressive_->commit(state, {.output_token_ids = output,
                                          .draft_token_ids = {},
                                          .statuses = rows.statuses.subspan(row, 1),
                                          .token_ids = rows.token_ids.subspan(row, 1),
                                          .logprobs = rows.logprobs.subspan(row, 1)});
      if (!one.ok() && row == 0) return one;
      if (!one.ok()) break;  // the next step meets it
      const int32_t token = one->token_ids[0];
      output.push_back(token);
      append(*std::move(one), all);
      if (all.finished || row == drafts.size() || token != drafts[row]) break;
    }
    // The last token is not kept, though it may have been drafted: a step is to compute it.
    const size_t num_kept = all.token_ids.size() - 1;
    all.num_rejected = static_cast<int32_t>(drafts.size() - num_kept);
    on_computed(drafts.size(), num_kept);
    return all;
  }

 protected:
  /// Told of each step how many drafts it computed, and how many of them stay.
  virtual void on_computed(size_t num_drafts, size_t num_kept) const = 0;

 private:
  static void append(Commit one, Commit& all) {
    all.token_ids.push_back(one.token_ids[0]);
    for (TokenLogprobs& logprobs : one.logprobs) all.logprobs.push_back(std::move(logprobs));
    all.text += one.text;
    all.finished = one.finished;
    all.reason = one.reason;
    all.stop_token = one.stop_token;
  }

  const std::unique_ptr<DecodeStrategy> autoregressive_;
};

}  // namespace tern
