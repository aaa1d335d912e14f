#include "tests/server/interleavings/drafting.h"

#include "tests/server/interleavings/sim_context.h"
#include "tests/support/drafting_strategy.h"

namespace tern {
namespace {

DraftingCounts counts;

class Drafting final : public DraftingStrategy {
 public:
  Drafting(const Tokenizer* tokenizer, const std::vector<int32_t>& eos_token_ids, bool has_state)
      : DraftingStrategy(tokenizer, eos_token_ids), has_state_(has_state) {}

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

 private:
  void on_computed(size_t num_drafts, size_t num_kept) const override {
    counts.computed += num_drafts;
    counts.kept += num_kept;
  }

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
