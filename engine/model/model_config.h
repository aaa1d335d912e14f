// A Hugging Face config.json, read and checked.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "kernels/ops/activation.h"

namespace tern {

enum class RopeType : uint8_t { kDefault, kLinear, kLlama3, kYarn, kLongrope };

/// Rotary embedding, from `rope_parameters` (transformers 5) or `rope_theta` + `rope_scaling` (4).
/// `dynamic` is kDefault: it differs only beyond max_position_embeddings, which is not served.
/// Formulas: docs/papers.md, RoPE variants.
/// The key of a GGUF file's share of a head that is turned, which any architecture may have there.
inline constexpr const char* kGgufRotaryFactor = "gguf.partial_rotary_factor";

struct RopeConfig {
  RopeType type = RopeType::kDefault;
  double theta = 10000.0;
  double factor = 1.0;                 ///< longrope: by how much the context grew
  double partial_rotary_factor = 1.0;  ///< share of a head that is turned; the rest passes through
  double low_freq_factor = 1.0;        ///< llama3
  double high_freq_factor = 4.0;       ///< llama3
  double beta_fast = 32.0;             ///< yarn
  double beta_slow = 1.0;              ///< yarn
  bool truncate = true;                ///< yarn: correction bounds rounded to whole dimensions
  std::optional<double> attention_factor;        ///< yarn, longrope: scales cos and sin
  std::optional<double> mscale, mscale_all_dim;  ///< yarn
  /// longrope: divisors of the rotary_dim / 2 frequencies, of sequences that stay within the
  /// original context and of those that leave it.
  std::vector<double> short_factor, long_factor;
  /// llama3, yarn, longrope: the context before scaling; max_position_embeddings where no key says
  /// otherwise.
  int32_t original_max_position_embeddings = 0;

  /// Dimensions of a head that are turned.
  int32_t rotary_dim(int32_t head_dim) const {
    return static_cast<int32_t>(head_dim * partial_rotary_factor);
  }
};

struct ModelConfig {
  std::string source;        ///< the file, for messages
  std::string architecture;  ///< of the text model: "LlamaForCausalLM"
  std::string model_type;    ///< "llama"
  int32_t vocab_size = 0;
  int32_t hidden = 0;
  int32_t intermediate = 0;
  int32_t num_layers = 0;
  int32_t num_heads = 0;
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  int32_t max_position_embeddings = 0;
  float norm_eps = 1e-5f;
  Activation activation = Activation::kSilu;
  bool tie_word_embeddings = false;
  bool attention_bias = false;
  bool mlp_bias = false;
  RopeConfig rope;
  std::optional<RopeConfig> local_rope;  ///< of layers with a window, where theirs is another
  std::optional<int32_t> bos_token_id;
  std::vector<int32_t> eos_token_ids;  ///< may be empty

  /// "hidden_size (4096), …": sizes that the file lacks and the class has; empty where it has all.
  std::string default_sizes;

  /// The file is that of a multimodal model, whose weights hold more than the text model's
  /// (engine/io/text_weights.h).
  bool is_text_part = false;

  /// The text model's keys, complete (config_class.h), for those that one architecture alone has.
  std::shared_ptr<const nlohmann::json> json;
};

/// kInvalidArgument naming file, key, value and limit; kUnimplemented naming what tern does not
/// know. Checks every size: positive, bounded, heads a multiple of KV heads, head_dim even.
Result<ModelConfig> parse_model_config(const nlohmann::json& json, const std::string& source);

/// Reads and parses `path`.
Result<ModelConfig> read_model_config(const std::string& path);

}  // namespace tern
