#include "engine/io/gguf_weights.h"

#include <algorithm>

#include "engine/io/gguf_rows.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

constexpr GgufArchitecture kArchitectures[] = {
    {.name = "gemma2",
     .hf_architecture = "Gemma2ForCausalLM",
     .hf_model_type = "gemma2",
     .gains_plus_one = true,
     .sandwich_norms = true},
    {.name = "gemma3",
     .hf_architecture = "Gemma3ForCausalLM",
     .hf_model_type = "gemma3_text",
     .gains_plus_one = true,
     .sandwich_norms = true},
    {.name = "granite",
     .hf_architecture = "GraniteForCausalLM",
     .hf_model_type = "granite",
     .halved_heads = true},
    {.name = "llama",
     .hf_architecture = "LlamaForCausalLM",
     .hf_model_type = "llama",
     .halved_heads = true},
    {.name = "olmo2", .hf_architecture = "Olmo2ForCausalLM", .hf_model_type = "olmo2"},
    {.name = "phi3",
     .hf_architecture = "Phi3ForCausalLM",
     .hf_model_type = "phi3",
     .fused_projections = true},
    {.name = "qwen2", .hf_architecture = "Qwen2ForCausalLM", .hf_model_type = "qwen2"},
    {.name = "qwen3", .hf_architecture = "Qwen3ForCausalLM", .hf_model_type = "qwen3"},
    {.name = "smollm3",
     .hf_architecture = "SmolLM3ForCausalLM",
     .hf_model_type = "smollm3",
     .halved_heads = true},
};

using Names = std::pair<std::string_view, std::string_view>;  // GGUF's, Hugging Face's

constexpr Names kModelNames[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};

constexpr Names kLayerNames[] = {{"attn_norm", "input_layernorm"},
                                 {"attn_q", "self_attn.q_proj"},
                                 {"attn_k", "self_attn.k_proj"},
                                 {"attn_v", "self_attn.v_proj"},
                                 {"attn_qkv", "self_attn.qkv_proj"},
                                 {"attn_output", "self_attn.o_proj"},
                                 {"attn_q_norm", "self_attn.q_norm"},
                                 {"attn_k_norm", "self_attn.k_norm"},
                                 {"post_attention_norm", "post_attention_layernorm"},
                                 {"ffn_norm", "post_attention_layernorm"},
                                 {"ffn_gate", "mlp.gate_proj"},
                                 {"ffn_up", "mlp.up_proj"},
                                 {"ffn_down", "mlp.down_proj"},
                                 {"post_ffw_norm", "post_feedforward_layernorm"}};

constexpr Names kSandwichNames[] = {{"ffn_norm", "pre_feedforward_layernorm"}};
constexpr Names kFusedNames[] = {{"ffn_up", "mlp.gate_up_proj"}};

std::string_view look_up(std::span<const Names> table, std::string_view name) {
  const auto it = std::ranges::find(table, name, &Names::first);
  return it == table.end() ? std::string_view() : it->second;
}

std::string_view layer_name(const GgufArchitecture& architecture, std::string_view part) {
  std::string_view name;
  if (architecture.sandwich_norms) name = look_up(kSandwichNames, part);
  if (architecture.fused_projections) name = look_up(kFusedNames, part);
  return name.empty() ? look_up(kLayerNames, part) : name;
}

/// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; empty for names that the
/// tables lack.
std::string hf_name(const GgufArchitecture& architecture, std::string_view name) {
  const size_t suffix = name.rfind('.');
  if (suffix == name.npos) return {};
  constexpr std::string_view kBlockPrefix = "blk.";
  const std::string_view stem = name.substr(0, suffix);
  if (!stem.starts_with(kBlockPrefix)) {
    const std::string_view known = look_up(kModelNames, stem);
    return known.empty() ? std::string() : std::string(known) + std::string(name.substr(suffix));
  }
  const std::string_view rest = stem.substr(kBlockPrefix.size());
  const size_t dot = rest.find('.');
  if (dot == rest.npos) return {};
  const std::string_view known = layer_name(architecture, rest.substr(dot + 1));
  if (known.empty()) return {};
  return "model.layers." + std::string(rest.substr(0, dot)) + "." + std::string(known) +
         std::string(name.substr(suffix));
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

bool belongs_to_config(std::string_view name) {
  return name.starts_with("rope_");
}

}  // namespace

Result<const GgufArchitecture*> gguf_architecture(const GgufFile& file) {
  TERN_ASSIGN(const auto name, file.get<std::string_view>("general.architecture"));
  std::string known;
  for (const GgufArchitecture& a : kArchitectures) {
    if (a.name == name) return &a;
    known += std::string(known.empty() ? "" : ", ") + std::string(a.name);
  }
  return Status(Code::kUnimplemented, file.path() + ": general.architecture: " + in_quotes(name) +
                                          " is not supported; tern knows " + known);
}

Result<std::shared_ptr<const WeightSource>> GgufWeights::open(const std::string& path) {
  TERN_ASSIGN(GgufFile file, GgufFile::open(path));
  std::shared_ptr<GgufWeights> weights(new GgufWeights(std::move(file)));
  TERN_TRY(weights->add_tensors());
  return std::shared_ptr<const WeightSource>(std::move(weights));
}

Status GgufWeights::add_tensors() {
  TERN_ASSIGN(const GgufArchitecture* const architecture, gguf_architecture(file_));
  int64_t num_heads = 0, num_kv_heads = 0;
  if (architecture->halved_heads) {
    const std::string prefix = std::string(architecture->name) + ".attention.head_count";
    TERN_ASSIGN(num_heads, file_.get<int64_t>(prefix));
    TERN_ASSIGN(const auto kv, file_.get_optional<int64_t>(prefix + "_kv"));
    num_kv_heads = kv.value_or(num_heads);
    if (num_heads < 1 || num_kv_heads < 1)
      return invalid_argument(path() + ": " + prefix + ": must be positive");
  }
  for (const GgufTensor& tensor : file_.tensors()) {
    if (belongs_to_config(tensor.name)) continue;
    std::string name = hf_name(*architecture, tensor.name);
    if (name.empty()) name = tensor.name;
    const bool is_q = name.find(".q_proj.") != name.npos, is_k = name.find(".k_proj.") != name.npos;
    const Source source{
        .tensor = &tensor,
        .num_heads = is_q   ? num_heads
                     : is_k ? num_kv_heads
                            : 0,
        .is_gain_plus_one = architecture->gains_plus_one && name.ends_with("norm.weight")};
    const auto [it, is_new] = sources_.emplace(name, source);
    if (!is_new)
      return invalid_argument(path() + ": tensors " + in_quotes(it->second.tensor->name) + " and " +
                              in_quotes(tensor.name) + " both stand for " + name);
  }
  return {};
}

Result<std::unique_ptr<RowSource>> GgufWeights::get(std::string_view name,
                                                    const std::vector<int64_t>& shape) const {
  const auto it = sources_.find(name);
  if (it == sources_.end())
    return Status(Code::kNotFound, path() + ": has no tensor " + in_quotes(name));
  const auto& [tensor, num_heads, is_gain_plus_one] = it->second;
  const std::string where = path() + ": tensor " + in_quotes(tensor->name);
  if (tensor->dims() != shape)
    return invalid_argument(where + " has shape " + shape_text(tensor->dims()) + ", expected " +
                            shape_text(shape));
  Result<std::unique_ptr<RowSource>> made = make_gguf_rows(*tensor);
  if (!made.ok()) return made.status().with_context(path());
  std::unique_ptr<RowSource> rows = *std::move(made);
  if (is_gain_plus_one) rows = make_less_one(std::move(rows));
  if (num_heads == 0) return rows;
  if (shape[0] % (2 * num_heads) != 0)
    return invalid_argument(where + ": its " + std::to_string(shape[0]) + " rows are not " +
                            std::to_string(num_heads) + " heads of two halves");
  return make_halved_heads(std::move(rows), num_heads);
}

std::vector<TensorInfo> GgufWeights::tensors() const {
  std::vector<TensorInfo> all;
  for (const auto& [name, source] : sources_)
    all.push_back({.name = name,
                   .shape = source.tensor->dims(),
                   .dtype = std::string(source.tensor->type->name),
                   .bytes = source.tensor->bytes});
  return all;
}

}  // namespace tern
