// The tensors of a GGUF file under Hugging Face's names.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/gguf.h"
#include "engine/io/weight_source.h"

namespace tern {

/// What the GGUF files of one architecture have of their own.
struct GgufArchitecture {
  std::string_view name;             ///< general.architecture: "llama"
  std::string_view hf_architecture;  ///< "LlamaForCausalLM"
  std::string_view hf_model_type;    ///< "llama"
  bool halved_heads = false;         ///< rows of q and k are reordered (make_halved_heads)
  bool gains_plus_one = false;       ///< norms hold 1 + w (make_less_one)
  bool fused_projections = false;    ///< attn_qkv and ffn_up (gate, up) hold several projections
  bool sandwich_norms = false;       ///< ffn_norm stands before the MLP, post_attention_norm behind
                                     ///< attention
};

/// The row of the file's general.architecture. kUnimplemented naming it and those that tern knows.
Result<const GgufArchitecture*> gguf_architecture(const GgufFile& file);

class GgufWeights final : public WeightSource {
 public:
  /// Errors as GgufFile::open's; kUnimplemented for an architecture that tern does not know;
  /// kInvalidArgument naming two tensors that stand for one.
  static Result<std::shared_ptr<const WeightSource>> open(const std::string& path);

  const std::string& path() const override { return file_.path(); }
  Result<std::unique_ptr<RowSource>> get(std::string_view name,
                                         const std::vector<int64_t>& shape) const override;

  /// Those of RoPE are not among them: they belong to the config. A tensor without a counterpart
  /// keeps its own name.
  std::vector<TensorInfo> tensors() const override;

 private:
  /// Where a Hugging Face tensor is, and what the converter did to it.
  struct Source {
    const GgufTensor* tensor = nullptr;
    int64_t num_heads = 0;  ///< whose rows were reordered; 0 = they stand in order
    bool is_gain_plus_one = false;
  };

  explicit GgufWeights(GgufFile file) : file_(std::move(file)) {}
  Status add_tensors();

  GgufFile file_;
  std::map<std::string, Source, std::less<>> sources_;  // by Hugging Face name
};

}  // namespace tern
