#include "tests/server/interleavings/drafting.h"

#include "tests/server/interleavings/sim_context.h"

namespace tern {
namespace {

DraftingCounts counts;

class Drafting final : public DecodeStrategy {
 public:
  Drafting(const Tokenizer* tokenizer, const std::vector<int32_t>& eos_token_ids, bool has_state)
      : autoregressive_(make_autoregressive(tokenizer, eos_token_ids)), has_state_(has_state) {}

  DecodeState start(const SamplingParams& params, std::span<const int32_t> prompt) const override {
    return autoregressive_->start(params, prompt);
  }

  // Up to five tokens, also where so many can never be used; one in four is wrong, and so is what
  // follows it, mostly.
  void demand(DecodeState&, const Sequence& seq, Demand& demand) const override {
    SimContext context(has_state_, seq.token_ids);
    uint64_t bits = SimContext::mix(seq.id, uint64_t(seq.num_tokens()));
    for (uint64_t left = bits % 6; left > 0; --left) {
      bits = SimContext::mix(bits, left);
      int32_t token = context.next_token();
      if (bits % 4 == 0) token = static_cast<int32_t>('a' + (bits >> 8) % 26);
      demand.draft_token_ids.push_back(token);
      context.push(token);
    }
    demand.num_outputs = 1 + static_cast<int32_t>(demand.draft_token_ids.size());
    counts.demanded += demand.draft_token_ids.size();
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
    counts.computed += drafts.size();
    counts.kept += num_kept;
    return all;
  }

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
  const bool has_state_;
};

template <bool kHasState>
std::unique_ptr<DecodeStrategy> make_drafting(const Tokenizer* tokenizer,
                                              const std::vector<int32_t>& eos_token_ids) {
  return std::make_unique<Drafting>(tokenizer, eos_token_ids, kHasState);
}

}  // namespace

const StrategyRow kDraftingRows[2] = {{"drafting", make_drafting<false>},
                                      {"drafting with state", make_drafting<true>}};

DraftingCounts drafting_counts() {
  return counts;
}

}  // namespace tern
