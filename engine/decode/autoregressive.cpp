// The autoregressive strategy: the last row's logits give one token.
#include <algorithm>

#include "engine/decode/decode_strategy.h"

namespace tern {
namespace {

bool contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

class Autoregressive final : public DecodeStrategy {
 public:
  Autoregressive(const Tokenizer* tokenizer, const std::vector<int32_t>& eos_token_ids)
      : tokenizer_(tokenizer), eos_token_ids_(eos_token_ids) {}

  DecodeState start(const SamplingParams& params, std::span<const int32_t> prompt) const override {
    DecodeState state;
    state.params = params;
    state.stop = StopMatcher(params.stop, params.include_stop_str_in_output);
    if (params.min_tokens > 0) {
      state.end_token_ids = params.stop_token_ids;
      if (!params.ignore_eos)
        state.end_token_ids.insert(state.end_token_ids.end(), eos_token_ids_.begin(),
                                   eos_token_ids_.end());
    }
    if (!params.has_penalties()) return state;
    if (params.repetition_penalty == 1) prompt = {};  // the others count the answer alone
    state.counts = TokenCounts(prompt.size() + size_t(params.max_tokens));
    state.counts.add_prompt(prompt);
    return state;
  }

  Result<Commit> commit(DecodeState& state, const SampledRows& rows) const override {
    TERN_TRY(rows.statuses[0]);
    const int32_t id = rows.token_ids[0];
    ++state.num_output_tokens;
    state.counts.add_output(id);
    if (state.constraint) state.constraint->accept(id);
    Commit commit;
    commit.token_ids = {id};
    if (state.params.wants_logprobs()) commit.logprobs.push_back(std::move(rows.logprobs[0]));
    const bool ends = ends_by_token(state, id, commit);
    if (!ends || state.params.include_stop_str_in_output) commit.text = shown_text(state, id);
    commit.finished = ends || state.num_output_tokens >= state.params.max_tokens;
    if (commit.finished) commit.text += finish_text(state);
    if (state.stop.matched()) {
      commit.finished = true;
      commit.reason = FinishReason::kStopString;
      commit.stop_token = -1;
    }
    return commit;
  }

 private:
  bool ends_by_token(const DecodeState& state, int32_t id, Commit& commit) const {
    if (contains(state.params.stop_token_ids, id)) {
      commit.reason = FinishReason::kStopToken;
    } else if (!state.params.ignore_eos && contains(eos_token_ids_, id)) {
      commit.reason = FinishReason::kEos;
    } else {
      return false;
    }
    commit.stop_token = id;
    return true;
  }

  std::string shown_text(DecodeState& state, int32_t id) const {
    if (tokenizer_ == nullptr) return {};
    if (state.params.skip_special_tokens && tokenizer_->is_special(id) &&
        !contains(state.params.shown_special_token_ids, id))
      return {};
    return match_stop(state, state.utf8.push(tokenizer_->token_bytes(id)));
  }

  // As end-of-sequence tokens do, stop strings count behind the first min_tokens tokens.
  static std::string match_stop(DecodeState& state, const std::string& text) {
    return state.stop.push(text, state.num_output_tokens > state.params.min_tokens);
  }

  // What UTF-8 and stop strings held back. The tail can complete a stop string too.
  static std::string finish_text(DecodeState& state) {
    std::string text = match_stop(state, state.utf8.finish());
    return text + state.stop.finish();
  }

  const Tokenizer* const tokenizer_;
  const std::vector<int32_t> eos_token_ids_;
};

}  // namespace

std::unique_ptr<DecodeStrategy> make_autoregressive(const Tokenizer* tokenizer,
                                                    const std::vector<int32_t>& eos_token_ids) {
  return std::make_unique<Autoregressive>(tokenizer, eos_token_ids);
}

}  // namespace tern
