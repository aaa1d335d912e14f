// One step's input as flat arrays: the only thing a model sees of scheduling.
#pragma once

#include <cstdint>
#include <span>

#include "base/tensor.h"

namespace tern {

/// Rows of several sequences, one after the other. Names as in FlashAttention and vLLM.
struct StepBatch {
  std::span<const int32_t> token_ids;  ///< [num_tokens]
  std::span<const int32_t> positions;  ///< [num_tokens], in their sequences
  /// [num_tokens]: how many of its sequence's positions, from 0 on, a row sees; position + 1 where
  /// it is causal.
  std::span<const int32_t> visible_end;
  std::span<const int64_t>
      slot_mapping;  ///< [num_tokens]: block * block_size + offset of each token's KV
  std::span<const int32_t> cu_seqlens_q;  ///< [num_seqs + 1]: rows of sequence s are [s], [s + 1]
  std::span<const int32_t>
      context_lens;  ///< [num_seqs]: KV length after this step's tokens are stored
  std::span<const int32_t> rope_variants;  ///< [num_tokens]: Model::rope_variant of their sequences
  MatView<const int32_t>
      block_table;  ///< [num_seqs, longest table]: block ids; short rows padded by 0
  /// [num_seqs]: where the model keeps each sequence's state; empty where it has KV alone. Rows
  /// from position 0 on begin with the initial state, others with that in the slot, and the step
  /// leaves the one behind all rows there.
  std::span<const int32_t> state_slots;
  /// [num_copies] each, always in host memory: before the step, in this order, whoever runs it
  /// copies the state in slot `from` to slot `to`. No model looks at them.
  std::span<const int32_t> slot_copies_from, slot_copies_to;
  std::span<const int32_t> logits_rows;  ///< rows whose logits are wanted, ascending

  int64_t num_tokens() const { return static_cast<int64_t>(token_ids.size()); }
  int64_t num_seqs() const { return static_cast<int64_t>(context_lens.size()); }
};

/// The largest step that a workspace must hold.
struct StepLimits {
  int64_t max_tokens = 0;
  int64_t max_logits_rows = 0;
  int64_t max_context_len = 0;  ///< rounded up to whole KV blocks
  int num_threads = 1;
};

}  // namespace tern
