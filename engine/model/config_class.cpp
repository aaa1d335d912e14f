#include "engine/model/config_class.h"

#include <algorithm>
#include <string_view>

#include "engine/io/json_parse.h"

namespace tern {
namespace {

using nlohmann::json;

/// A configuration class of transformers: the keys that tern reads, with the values that an
/// instance has where config.json does not name them. tests/engine/model/config_defaults.json holds
/// what transformers itself says.
struct ConfigClass {
  std::string_view model_type;
  std::string_view architecture;
  std::string_view defaults;
};

constexpr ConfigClass kClasses[] = {
    {"gemma2", "Gemma2ForCausalLM",
     R"({"vocab_size": 256000, "hidden_size": 2304, "intermediate_size": 9216,
         "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
         "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
         "max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "tie_word_embeddings": true,
         "rope_theta": 10000.0, "sliding_window": 4096, "query_pre_attn_scalar": 256,
         "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "bos_token_id": 2,
         "eos_token_id": 1})"},
    {"gemma3_text", "Gemma3ForCausalLM",
     R"({"vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216,
         "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
         "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
         "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "tie_word_embeddings": true,
         "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "sliding_window": 4096,
         "query_pre_attn_scalar": 256, "bos_token_id": 2, "eos_token_id": 1})"},
    {"granite", "GraniteForCausalLM",
     R"({"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
         "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
         "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
         "embedding_multiplier": 1.0, "logits_scaling": 1.0, "residual_multiplier": 1.0,
         "attention_multiplier": 1.0, "bos_token_id": 1, "eos_token_id": 2})"},
    {"llama", "LlamaForCausalLM",
     R"({"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
         "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
         "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
         "bos_token_id": 1, "eos_token_id": 2})"},
    {"mistral", "MistralForCausalLM",
     R"({"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
         "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
         "hidden_act": "silu", "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
         "rope_theta": 10000.0, "sliding_window": 4096, "bos_token_id": 1, "eos_token_id": 2})"},
    {"olmo2", "Olmo2ForCausalLM",
     R"({"vocab_size": 50304, "hidden_size": 4096, "intermediate_size": 11008,
         "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
         "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
         "eos_token_id": 50279})"},
    {"phi3", "Phi3ForCausalLM",
     R"({"vocab_size": 32064, "hidden_size": 3072, "intermediate_size": 8192,
         "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
         "max_position_embeddings": 4096, "original_max_position_embeddings": 4096,
         "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "bos_token_id": 1,
         "eos_token_id": 32000})"},
    {"qwen2", "Qwen2ForCausalLM",
     R"({"vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016,
         "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
         "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
         "rope_theta": 10000.0, "use_sliding_window": false, "sliding_window": 4096})"},
    {"qwen2_5_vl_text", "Qwen2ForCausalLM",
     R"({"vocab_size": 152064, "hidden_size": 8192, "intermediate_size": 29568,
         "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8,
         "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
         "rope_theta": 1000000.0, "use_sliding_window": false, "sliding_window": 4096,
         "bos_token_id": 151643, "eos_token_id": 151645})"},
    {"qwen2_vl_text", "Qwen2ForCausalLM",
     R"({"vocab_size": 152064, "hidden_size": 8192, "intermediate_size": 29568,
         "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8,
         "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
         "rope_theta": 1000000.0, "use_sliding_window": false, "sliding_window": 4096,
         "bos_token_id": 151643, "eos_token_id": 151645})"},
    {"qwen3", "Qwen3ForCausalLM",
     R"({"vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016,
         "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
         "head_dim": 128, "hidden_act": "silu", "max_position_embeddings": 32768,
         "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "use_sliding_window": false,
         "sliding_window": 4096})"},
    {"qwen3_vl_text", "Qwen3ForCausalLM",
     R"({"vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016,
         "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
         "head_dim": 128, "hidden_act": "silu", "max_position_embeddings": 128000,
         "rms_norm_eps": 1e-6, "rope_theta": 500000.0})"},
    {"smollm3", "SmolLM3ForCausalLM",
     R"({"vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 11008,
         "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 4,
         "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
         "tie_word_embeddings": true, "rope_theta": 2000000.0, "use_sliding_window": false,
         "no_rope_layer_interval": 4, "bos_token_id": 128000, "eos_token_id": 128001})"},
};

/// A class of multimodal models whose text model computes as one that tern has.
struct Wrapper {
  std::string_view architecture;
  std::string_view model_type;
  std::string_view text_type;  ///< model_type of its text model, unless text_config may choose it
  bool chooses = false;        ///< text_config's own model_type counts
};

constexpr Wrapper kWrappers[] = {
    {"Gemma3ForConditionalGeneration", "gemma3", "gemma3_text"},
    {"Idefics3ForConditionalGeneration", "idefics3", "llama", true},
    {"InternVLForConditionalGeneration", "internvl", "qwen2", true},
    {"LlavaForConditionalGeneration", "llava", "llama", true},
    {"LlavaNextForConditionalGeneration", "llava_next", "llama", true},
    {"LlavaOnevisionForConditionalGeneration", "llava_onevision", "qwen2", true},
    {"Mistral3ForConditionalGeneration", "mistral3", "mistral", true},
    {"Qwen2VLForConditionalGeneration", "qwen2_vl", "qwen2_vl_text"},
    {"Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl", "qwen2_5_vl_text"},
    {"Qwen3VLForConditionalGeneration", "qwen3_vl", "qwen3_vl_text"},
    {"SmolVLMForConditionalGeneration", "smolvlm", "llama", true},
};

/// Keys whose null transformers takes as "none" where their default is something.
constexpr std::string_view kNullable[] = {
    "num_key_value_heads",     "head_dim",     "sliding_window", "attn_logit_softcapping",
    "final_logit_softcapping", "bos_token_id", "eos_token_id",
};

std::string string_at(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

const ConfigClass* by_type(std::string_view model_type) {
  const auto* found = std::ranges::find(kClasses, model_type, &ConfigClass::model_type);
  return found == std::end(kClasses) ? nullptr : found;
}

/// Null where tern does not know the architecture. Of two that are known, the one that `model_type`
/// names counts: transformers' Auto classes go by that.
const ConfigClass* by_architecture(std::string_view architecture, std::string_view model_type) {
  const auto* found = std::ranges::find(kClasses, architecture, &ConfigClass::architecture);
  if (found == std::end(kClasses)) return nullptr;
  const ConfigClass* const named = by_type(model_type);
  return named != nullptr ? named : found;
}

/// The multimodal class of `config`: by its architecture, or by model_type where none is named, or
/// that of a text model whose keys stand in text_config. Null where it is none.
const Wrapper* find_wrapper(const json& config, std::string_view architecture,
                            std::string_view model_type) {
  const auto* named = std::ranges::find(kWrappers, architecture, &Wrapper::architecture);
  if (named != std::end(kWrappers)) return named;
  const auto text = config.find("text_config");
  const bool has_text = text != config.end() && text->is_object();
  const bool by_type =
      architecture.empty() || (has_text && by_architecture(architecture, model_type) != nullptr);
  const auto* typed = std::ranges::find(kWrappers, model_type, &Wrapper::model_type);
  return by_type && typed != std::end(kWrappers) ? typed : nullptr;
}

Status unsupported(const std::string& source, const std::string& what) {
  std::string known;
  for (const ConfigClass& c : kClasses)
    if (known.find(c.architecture) == std::string::npos)
      known += (known.empty() ? "" : ", ") + std::string(c.architecture);
  std::string wrappers;
  for (const Wrapper& w : kWrappers)
    wrappers += (wrappers.empty() ? "" : ", ") + std::string(w.architecture);
  return Status(Code::kUnimplemented, source + ": " + what + " is not supported; tern knows " +
                                          known + ", and the text models of " + wrappers);
}

/// architectures[0]; empty where the key is absent, null or an empty list.
Result<std::string> read_architecture(const json& config, const std::string& source) {
  const auto it = config.find("architectures");
  if (it == config.end() || it->is_null() || *it == json::array()) return std::string();
  if (it->is_array() && !it->empty() && (*it)[0].is_string()) return (*it)[0].get<std::string>();
  return invalid_argument(source + ": architectures: must be an array with a name, is " +
                          it->dump());
}

/// `own` over the class's defaults.
CompleteConfig complete(const ConfigClass& of, const json& own) {
  CompleteConfig out{.architecture = std::string(of.architecture),
                     .model_type = std::string(of.model_type),
                     .keys = {},
                     .default_keys = json::parse(of.defaults)};
  out.keys = out.default_keys;
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                          "num_attention_heads"})
    if (const auto it = own.find(key); it == own.end() || it->is_null())
      out.default_sizes += (out.default_sizes.empty() ? "" : ", ") + std::string(key) + " (" +
                           out.default_keys[key].dump() + ")";
  for (const auto& [key, value] : own.items())
    if (!value.is_null() || std::ranges::find(kNullable, key) != std::end(kNullable))
      out.keys[key] = value;
  return out;
}

Result<CompleteConfig> complete_text_part(const Wrapper& wrapper, const json& config,
                                          const std::string& source) {
  json text = config;  // older files have the text model's keys beside vision_config
  if (const auto it = config.find("text_config"); it != config.end() && !it->is_null()) {
    if (!it->is_object()) return invalid_argument(source + ": text_config: must be an object");
    text = *it;
    for (const char* key : {"bos_token_id", "eos_token_id", "quantization_config"})
      if (!text.contains(key) && config.contains(key)) text[key] = config[key];
  }
  std::string type(wrapper.text_type);
  if (wrapper.chooses && config.contains("text_config") && !string_at(text, "model_type").empty())
    type = string_at(text, "model_type");
  const ConfigClass* const of = by_type(type);
  if (of == nullptr)
    return unsupported(source, "architectures: '" + std::string(wrapper.architecture) +
                                   "' with a text model of type '" + type + "'");
  CompleteConfig out = complete(*of, text);
  out.is_text_part = true;
  return out;
}

}  // namespace

Result<CompleteConfig> complete_config(const json& config, const std::string& source) {
  TERN_ASSIGN(const std::string architecture, read_architecture(config, source));
  const std::string model_type = string_at(config, "model_type");
  if (const Wrapper* w = find_wrapper(config, architecture, model_type))
    return complete_text_part(*w, config, source);
  if (architecture.empty() && model_type.empty())
    return invalid_argument(source + ": architectures: is missing, and so is model_type");
  const ConfigClass* const of =
      architecture.empty() ? by_type(model_type) : by_architecture(architecture, model_type);
  if (of == nullptr)
    return unsupported(source, architecture.empty() ? "model_type: '" + model_type + "'"
                                                    : "architectures: '" + architecture + "'");
  CompleteConfig out = complete(*of, config);
  if (!model_type.empty()) out.model_type = model_type;
  return out;
}

}  // namespace tern
