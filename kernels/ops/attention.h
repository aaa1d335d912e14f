// Attention of a step's tokens over paged keys and values, and the write that puts them there.
#pragma once

#include "base/tensor.h"
#include "kernels/formats/kv_format.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

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
  using Layout = KvFormat;
  static const KvFormat* layout(const Args& a) { return a.kv.format; }

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.k);
    v.rows(a.v);
    v.array(a.slot_mapping, a.k.rows);
    v.array(a.kv.keys, a.kv.bytes(), Access::kUpdate);
    v.array(a.kv.values, a.kv.bytes(), Access::kUpdate);
  }

  /// Exact.
  static constexpr double kTolerance = 0;
};

/// y[t] = softmax(cap(scale * q[t] · K)) V over the positions [0, visible_end[t]) of the row's
/// sequence (the last `window` of them where there is one), per head; query heads share KV heads in
/// groups (GQA): head h reads KV head h / (num_heads / num_kv_heads).
/// cap(s) = softcap tanh(s / softcap), or s itself where softcap is 0.
///
/// Causal attention is visible_end = position + 1; where all rows of a sequence have its length, it
/// is bidirectional.
///
/// Reads stored keys and values only. Each output's bits depend on its own query and on the
/// positions that it sees, whatever the chunk, the batch, the block table or the number of threads:
/// one chain a score over head_dim, exact maximum, a sum of weights in a fixed order of absolute
/// positions, one chain an output over absolute positions.
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
    /// [tokens]: positions that a row sees, from 1 to those stored of its sequence, this step's
    /// included; from row to row of a sequence it does not fall.
    const int32_t* visible_end = nullptr;
    MatView<const int32_t> block_table;  ///< [num_seqs, blocks]: block ids by position / block_size
    /// As many bytes as the kernel asks for (Kernel::scratch_bytes), aligned to 64, of any content.
    std::byte* scratch = nullptr;
    MatView<float> y;  ///< [tokens, num_heads * head_dim]; must not overlap q

    /// No row sees more: what the block table has room for. Known without reading arrays.
    int64_t max_context_len() const { return block_table.cols * kv.block_size; }
  };
  using Layout = KvFormat;
  static const KvFormat* layout(const Args& a) { return a.kv.format; }

  /// Not `scratch`, which is as large as each kernel wants it.
  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.q);
    v.array(a.kv.keys, a.kv.bytes(), Access::kRead);
    v.array(a.kv.values, a.kv.bytes(), Access::kRead);
    v.array(a.cu_seqlens_q, a.num_seqs + 1);
    v.array(a.visible_end, a.q.rows);
    v.rows(a.block_table);
    v.rows(a.y, Access::kWrite);
  }

  /// Largest |y - reference| per unit of max |v| over the positions seen.
  static constexpr double kTolerance = 2e-5;

  /// What a softcap adds to that, per unit of it: twice the relative error of its tanh.
  static constexpr double kSoftcapTolerance = 1e-6;
};

void kv_write_ref(const KvWrite::Args& a, const Exec&);
void attention_ref(const Attention::Args& a, const Exec&);

}  // namespace tern
