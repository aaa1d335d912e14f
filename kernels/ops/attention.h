// Causal attention of a step's tokens over paged keys and values, and the write that puts them
// there.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

/// One layer of the KV cache, f32. Positions lie in blocks; a block is `block_size` tokens, a
/// multiple of kKvLanes. Keys are transposed within groups of kKvLanes positions, so that one
/// vector holds one dimension of 16 keys and no score needs a horizontal sum:
///   keys   [block][kv_head][block_size / kKvLanes][head_dim][kKvLanes]
///   values [block][kv_head][block_size][head_dim]
constexpr int64_t kKvLanes = 16;

struct KvLayerView {
  float* keys = nullptr;
  float* values = nullptr;
  int64_t num_blocks = 0;
  int64_t block_size = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;

  int64_t head_stride() const { return block_size * head_dim; }
  int64_t block_stride() const { return num_kv_heads * head_stride(); }

  /// Element (dimension 0) of the key of `kv_head` at `slot` = block * block_size + offset; the
  /// next dimension is kKvLanes further.
  float* key(int64_t slot, int64_t kv_head) const {
    const int64_t offset = slot % block_size;
    return keys + slot / block_size * block_stride() + kv_head * head_stride() +
           offset / kKvLanes * kKvLanes * head_dim + offset % kKvLanes;
  }
  /// The value of `kv_head` at `slot`, contiguous.
  float* value(int64_t slot, int64_t kv_head) const {
    return values + slot / block_size * block_stride() + kv_head * head_stride() +
           slot % block_size * head_dim;
  }
};

/// Stores the step's keys and values: kv[slot_mapping[t]] = (k[t], v[t]).
struct KvWrite {
  static constexpr std::string_view kName = "kv_write";

  struct Args {
    MatView<const float> k;  ///< [tokens, num_kv_heads * head_dim], already turned by RoPE
    MatView<const float> v;  ///< [tokens, num_kv_heads * head_dim]
    const int64_t* slot_mapping =
        nullptr;  ///< [tokens], distinct, each in [0, num_blocks * block_size)
    KvLayerView kv;
  };

  /// Exact.
  static constexpr double kTolerance = 0;
};

/// y[t] = softmax(cap(scale * q[t] · K)) V over the positions 0 … position of t (the last
/// `window` of them where there is one), per head; query heads
/// share KV heads in groups (GQA): head h reads KV head h / (num_heads / num_kv_heads).
/// cap(s) = softcap tanh(s / softcap), or s itself where softcap is 0.
///
/// Reads stored keys and values only. Each output's bits depend on its own query and its own
/// sequence's positions 0 … position, whatever the chunk, the batch, the block table or the number
/// of threads: one chain a score over head_dim, exact maximum, a sum of weights in a fixed order of
/// absolute positions, one chain an output over absolute positions.
struct Attention {
  static constexpr std::string_view kName = "attention";

  struct Args {
    MatView<const float> q;  ///< [tokens, num_heads * head_dim]
    KvLayerView kv;          ///< holds the step's own keys and values already
    int64_t num_heads = 0;   ///< a multiple of kv.num_kv_heads
    float scale = 0;         ///< usually head_dim^-1/2
    float softcap = 0;       ///< bounds the scores (Gemma 2); 0 = does not
    int64_t window = 0;      ///< positions that a row sees, its own included; 0 = all before it
    int64_t num_seqs = 0;
    const int32_t* cu_seqlens_q =
        nullptr;  ///< [num_seqs + 1]: rows of q of sequence s are [s], [s+1]
    const int32_t* context_lens =
        nullptr;  ///< [num_seqs]: positions stored, this step's included; the
                  ///< last row of sequence s stands at context_lens[s] - 1
    MatView<const int32_t> block_table;  ///< [num_seqs, blocks]: block ids by position / block_size
    MatView<float>
        scratch;       ///< [threads of the pool, scratch_cols(...)]: uninitialised, any content
    MatView<float> y;  ///< [tokens, num_heads * head_dim]; must not overlap q
  };

  /// Queries (a row's heads, then the next row's) that a thread takes together, to load each key
  /// and value once for all of them.
  static constexpr int64_t kQueryTile = 8;

  /// Columns that `scratch` needs where no context is longer than `max_context_len`: the scores of
  /// a query tile.
  static constexpr int64_t scratch_cols(int64_t max_context_len) {
    return kQueryTile * ((max_context_len + kKvLanes - 1) / kKvLanes * kKvLanes);
  }

  /// Largest |y - reference| per unit of max |v| over the positions seen.
  static constexpr double kTolerance = 2e-5;

  /// What a softcap adds to that, per unit of it: twice the relative error of its tanh.
  static constexpr double kSoftcapTolerance = 1e-6;
};

void kv_write_ref(const KvWrite::Args& a, const Exec&);
void attention_ref(const Attention::Args& a, const Exec&);

}  // namespace tern
