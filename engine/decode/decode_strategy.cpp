#include "engine/decode/decode_strategy.h"

#include "engine/decode/token_mask.h"

namespace tern {

void DecodeStrategy::request_rows(DecodeState& state, const PlannedRows& rows,
                                  std::vector<RowRequest>& requests) const {
  const size_t words = state.constraint ? mask_words(rows.vocab_size) : 0;
  state.mask_bits.resize(words * size_t(rows.num_rows));
  int32_t num_accepted = 0;  // drafts that the constraint is told of, for the time being
  for (int32_t i = 0; i < rows.num_rows; ++i) {
    const size_t num_drafts = rows.draft_token_ids.size() + 1 - size_t(rows.num_rows - i);
    RowRequest request{
        .row = rows.first_row + i,
        .params = &state.params,
        .history = {.position = uint64_t(state.num_output_tokens) + num_drafts,
                    .output_token_ids = rows.output_token_ids,
                    .draft_token_ids = rows.draft_token_ids.first(num_drafts),
                    .end_token_ids = state.end_token_ids,
                    .counts = &state.counts},
        .num_logprobs = state.params.wants_logprobs() ? state.params.logprobs.value_or(0) : -1,
        .logprob_token_ids = state.params.logprob_token_ids};
    if (state.constraint) {
      for (; size_t(num_accepted) < num_drafts; ++num_accepted)
        state.constraint->accept(rows.draft_token_ids[size_t(num_accepted)]);
      const std::span<uint32_t> bits(state.mask_bits.data() + words * size_t(i), words);
      state.constraint->fill(bits);
      request.history.allowed = bits;
    }
    requests.push_back(request);
  }
  if (num_accepted > 0) state.constraint->rollback(num_accepted);
}

}  // namespace tern
