// The family of Llama: one loader, told what an architecture does differently.
#pragma once

#include <memory>
#include <vector>

#include "engine/arch/registry.h"

namespace tern {

/// What differs from Llama. Defaults are Llama's.
struct LlamaLike {
  enum class QkNorm : unsigned char { kNone, kPerHead, kWhole };

  bool fused_projections =
      false;  ///< qkv_proj and gate_up_proj hold their parts one after the other
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  QkNorm qk_norm = QkNorm::kNone;  ///< RMSNorm of queries and keys before RoPE
  bool post_norm = false;          ///< norms stand behind attention and MLP, none before (OLMo 2)
  std::vector<bool> use_rope;      ///< by layer; empty = all
  int32_t window = 0;              ///< of every layer's attention; 0 = none
  float embedding_multiplier = 1;
  float residual_multiplier = 1;
  float attention_scale = 0;  ///< 0 = head_dim^-1/2
  float logits_divisor = 1;
};

/// kUnimplemented for another activation than silu; kNotFound and kInvalidArgument naming tensors.
Result<std::unique_ptr<Model>> load_llama_like(const ModelConfig& config,
                                               std::shared_ptr<const Checkpoint> checkpoint,
                                               const LoadOptions& options, const LlamaLike& recipe);

/// kUnimplemented where the config asks for a sliding window that the served context reaches
/// beyond.
Status check_no_window(const ModelConfig& config, const LoadOptions& options);

}  // namespace tern
