// What a model is to those who serve it, besides its forward pass.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/decode/sampling_params.h"
#include "engine/text/tokenizer.h"

namespace tern {

class ChatRenderer;

struct ModelInfo {
  std::string name;          ///< the directory's name, the GGUF file's stem, or as configured
  std::string architecture;  ///< "LlamaForCausalLM"
  uint64_t num_parameters = 0;
  uint64_t weight_bytes = 0;  ///< as packed in memory
  std::string weight_format;  ///< "bf16"
  int32_t vocab_size = 0;
  int32_t max_model_len = 0;
  uint64_t kv_bytes_per_token = 0;
  std::vector<int32_t> eos_token_ids;
  SamplingDefaults default_sampling;  ///< where a request says nothing
  bool has_chat_template = false;     ///< that can be used without tools
  // What computes it; empty and 0 where steps are simulated.
  std::string compute;      ///< arithmetic of the linear layers: "default", "fast" or "f32"
  std::string isa;          ///< instruction set of the kernels: "avx512_bf16"
  int32_t num_threads = 0;  ///< of the pool
};

/// What a model directory (or a simulation) brings besides the forward pass. Immutable.
struct ModelAssets {
  ModelInfo info;
  std::unique_ptr<Tokenizer> tokenizer;      ///< may be null
  std::shared_ptr<const ChatRenderer> chat;  ///< may be null
  /// What the model's file calls it, in its publisher's words; may be empty.
  std::string published_name;
};

}  // namespace tern
