// The family of Llama: one loader, told what an architecture does differently.
#pragma once

#include <memory>
#include <vector>

#include "engine/arch/registry.h"

namespace tern {

/// What differs from Llama. Defaults are Llama's.
struct LlamaLike {
  enum class QkNorm : unsigned char { kNone, kPerHead, kWhole };
  enum class Norms : unsigned char {
    kPre,       ///< input_layernorm before attention, post_attention_layernorm before the MLP
    kPost,      ///< post_{attention,feedforward}_layernorm behind attention and MLP (OLMo 2)
    kSandwich,  ///< both: {input,pre_feedforward} before, post_{attention,feedforward} behind
                ///< (Gemma)
  };

  bool fused_projections =
      false;  ///< qkv_proj and gate_up_proj hold their parts one after the other
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  QkNorm qk_norm = QkNorm::kNone;  ///< RMSNorm of queries and keys before RoPE
  Norms norms = Norms::kPre;
  float norm_offset = 0;       ///< what every norm's gain is above its tensor (Gemma: 1)
  std::vector<bool> use_rope;  ///< by layer; empty = all
  int32_t window = 0;          ///< of the sliding layers' attention; 0 = none
  std::vector<bool> sliding;   ///< by layer: has the window, and local_rope; empty = all
  float embedding_multiplier = 1;
  float residual_multiplier = 1;
  float attention_scale = 0;    ///< 0 = head_dim^-1/2
  float attention_softcap = 0;  ///< of the scores; 0 = none
  float logits_softcap = 0;     ///< 0 = none
  float logits_divisor = 1;
};

/// Loads the part of options.rank: its heads and its columns of the MLP, whose outputs are summed
/// over the ranks; embedding, norms and head are whole. Parts have no forward pass of their own.
/// kNotFound and kInvalidArgument naming tensors; kInvalidArgument and kUnimplemented naming what
/// ranks cannot divide.
Result<std::unique_ptr<Model>> load_llama_like(const ModelConfig& config,
                                               std::shared_ptr<const WeightSource> weights,
                                               const LoadOptions& options, const LlamaLike& recipe);

/// Which layers slide, by the config's `layer_types`; leaves `sliding` as it is where there are
/// none. kInvalidArgument and kUnimplemented naming the key.
Status read_layer_types(const ModelConfig& config, std::vector<bool>& sliding);

/// kUnimplemented where the config asks for a sliding window that the served context reaches
/// beyond.
Status check_no_window(const ModelConfig& config, const LoadOptions& options);

}  // namespace tern
