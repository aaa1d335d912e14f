#include "engine/model/gguf_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/gguf_rows.h"
#include "engine/io/gguf_weights.h"
#include "engine/io/json_parse.h"
#include "engine/model/model_config.h"

namespace tern {
namespace {

using nlohmann::json;

/// Copies keys of "<architecture>.…" into the config; the first failure is kept and the rest become
/// no-ops, as in ConfigReader.
class GgufReader {
 public:
  GgufReader(const GgufFile& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  template <class T>
  std::optional<T> get(const std::string& key) {
    return get_global<T>(prefix_ + key);
  }

  template <class T>
  std::optional<T> get_global(const std::string& key) {
    if (!status_.ok()) return {};
    Result<std::optional<T>> value = file_.get_optional<T>(key);
    if (value.ok()) return *std::move(value);
    status_ = value.status();
    return {};
  }

  template <class T>
  T require(const std::string& key) {
    if (status_.ok() && file_.find(prefix_ + key) == nullptr)
      fail(key, "is missing", Code::kInvalidArgument);
    return get<T>(key).value_or(T{});
  }

  /// A vector of the tensor's floats; empty where the file has none.
  std::vector<float> tensor(std::string_view name) {
    const GgufTensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr || !status_.ok()) return {};
    Result<std::unique_ptr<RowSource>> rows = make_gguf_rows(*tensor);
    if (rows.ok() && tensor->rank == 1) {
      std::vector<float> values(size_t((*rows)->cols()));
      (*rows)->read(0, values.data());
      if (std::ranges::all_of(values, [](float v) { return std::isfinite(v); })) return values;
      status_ = invalid_argument(file_.path() + ": tensor " + in_quotes(name) + " is not finite");
      return {};
    }
    status_ = (rows.ok() ? invalid_argument("tensor " + in_quotes(name) + " is not a vector")
                         : rows.status())
                  .with_context(file_.path());
    return {};
  }

  void fail(const std::string& key, const std::string& why, Code code = Code::kUnimplemented) {
    if (status_.ok()) status_ = Status(code, file_.path() + ": " + prefix_ + key + ": " + why);
  }

  const GgufFile& file() const { return file_; }
  const Status& status() const { return status_; }

 private:
  const GgufFile& file_;
  const std::string prefix_;
  Status status_;
};

void add_sizes(GgufReader& r, json& config) {
  const int64_t hidden = r.require<int64_t>("embedding_length");
  const int64_t heads = r.require<int64_t>("attention.head_count");
  if (heads < 1) return r.fail("attention.head_count", "must be positive", Code::kInvalidArgument);
  config["hidden_size"] = hidden;
  config["num_attention_heads"] = heads;
  config["num_hidden_layers"] = r.require<int64_t>("block_count");
  config["intermediate_size"] = r.require<int64_t>("feed_forward_length");
  config["max_position_embeddings"] = r.require<int64_t>("context_length");
  config["rms_norm_eps"] = r.require<double>("attention.layer_norm_rms_epsilon");
  config["num_key_value_heads"] = r.get<int64_t>("attention.head_count_kv").value_or(heads);
  const int64_t head_dim = r.get<int64_t>("attention.key_length").value_or(hidden / heads);
  config["head_dim"] = head_dim;
  if (r.get<int64_t>("attention.value_length").value_or(head_dim) != head_dim)
    r.fail("attention.value_length", "other than attention.key_length is not supported");
  if (r.get<int64_t>("expert_count").value_or(0) > 0)
    r.fail("expert_count", "mixtures of experts are not supported");

  const GgufFile& file = r.file();
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->rank != 2) {
    r.fail("embedding_length", "the file has no matrix \"token_embd.weight\": it is no whole model",
           Code::kInvalidArgument);
    return;
  }
  config["vocab_size"] = embedding->shape[0];
  config["tie_word_embeddings"] = file.find_tensor("output.weight") == nullptr;
  config["attention_bias"] = file.find_tensor("blk.0.attn_q.bias") != nullptr;
  config["mlp_bias"] = file.find_tensor("blk.0.ffn_up.bias") != nullptr;
}

json doubles(const std::vector<float>& values) {
  json list = json::array();
  for (const float v : values) list.push_back(double(v));
  return list;
}

/// Frequencies with explicit divisors are longrope whose two lists may be one.
json longrope(const std::vector<float>& short_factors, const std::vector<float>& long_factors,
              double attention_factor, const json& original_context) {
  return {{"rope_type", "longrope"},
          {"short_factor", doubles(short_factors)},
          {"long_factor", doubles(long_factors)},
          {"attention_factor", attention_factor},
          {"original_max_position_embeddings", original_context}};
}

json yarn(GgufReader& r, double factor, const json& original_context) {
  json rope{{"rope_type", "yarn"},
            {"factor", factor},
            {"original_max_position_embeddings", original_context}};
  if (const auto v = r.get<double>("rope.scaling.yarn_attn_factor")) rope["attention_factor"] = *v;
  if (const auto v = r.get<double>("rope.scaling.yarn_beta_fast")) rope["beta_fast"] = *v;
  if (const auto v = r.get<double>("rope.scaling.yarn_beta_slow")) rope["beta_slow"] = *v;
  if (const auto v = r.get<double>("rope.scaling.yarn_log_multiplier"); v && *v != 0)
    rope["mscale"] = 1.0, rope["mscale_all_dim"] = *v;
  return rope;
}

void add_rope_scaling(GgufReader& r, json& config) {
  const std::string type(r.get<std::string_view>("rope.scaling.type").value_or("linear"));
  double factor = r.get<double>("rope.scaling.factor").value_or(0);
  if (factor == 0) factor = r.get<double>("rope.scale_linear").value_or(0);
  if (factor == 0 || type == "none") factor = 1;
  const json context = config["max_position_embeddings"];
  const auto original = r.get<int64_t>("rope.scaling.original_context_length");
  const json original_context = original ? json(*original) : context;

  config["original_max_position_embeddings"] = original_context;  // where Phi-3's class has it
  std::vector<float> divisors = r.tensor("rope_freqs.weight");
  const std::vector<float> short_factors = r.tensor("rope_factors_short.weight");
  const std::vector<float> long_factors = r.tensor("rope_factors_long.weight");
  if (!short_factors.empty() || !long_factors.empty()) {
    config["rope_scaling"] =
        longrope(short_factors, long_factors, r.get<double>("rope.scaling.attn_factor").value_or(1),
                 original_context);
  } else if (type == "yarn" && divisors.empty()) {
    config["rope_scaling"] = yarn(r, factor, original_context);
  } else if (type != "linear" && type != "none" && type != "longrope") {
    r.fail("rope.scaling.type", in_quotes(type) + (divisors.empty() ? "" : " with rope_freqs") +
                                    " is not supported; tern knows none, linear, yarn, longrope");
  } else if (!divisors.empty()) {
    for (float& d : divisors) d = float(d * factor);
    config["rope_scaling"] = longrope(divisors, divisors, 1, context);
  } else if (factor != 1) {
    config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", factor}};
  }
}

void add_rope(GgufReader& r, const GgufArchitecture& architecture, json& config) {
  config["rope_theta"] = r.get<double>("rope.freq_base").value_or(10000);
  const auto head_dim = config["head_dim"].get<int64_t>();
  const int64_t rotary = r.get<int64_t>("rope.dimension_count").value_or(head_dim);
  if (rotary < 2 || rotary > head_dim || rotary % 2 != 0)
    return r.fail("rope.dimension_count",
                  std::to_string(rotary) + " must be even and from 2 to the " +
                      std::to_string(head_dim) + " dimensions of a head",
                  Code::kInvalidArgument);
  if (rotary < head_dim) {
    if (architecture.halved_heads)
      return r.fail("rope.dimension_count", "below the dimensions of a head is not supported");
    // Readers truncate the product: half a dimension more keeps rounding from losing one.
    config[kGgufRotaryFactor] = (double(rotary) + 0.5) / double(head_dim);
  }
  add_rope_scaling(r, config);
}

/// llama.cpp's rule: the 27B models scale by the width that a head would have without head_dim.
void add_gemma(GgufReader& r, int64_t layers_of_27b, json& config) {
  const bool is_27b = config["num_hidden_layers"] == layers_of_27b;
  config["query_pre_attn_scalar"] =
      is_27b ? config["hidden_size"].get<int64_t>() / config["num_attention_heads"].get<int64_t>()
             : config["head_dim"].get<int64_t>();
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
    if (const auto cap = r.get<double>(key); cap && *cap > 0) config[key] = *cap;
}

void add_gemma2(GgufReader& r, json& config) {
  constexpr int64_t kLayersOf27b = 46;
  add_gemma(r, kLayersOf27b, config);
  config["sliding_window"] = r.get<int64_t>("attention.sliding_window").value_or(4096);
}

void add_gemma3(GgufReader& r, json& config) {
  constexpr int64_t kLayersOf27b = 62;
  add_gemma(r, kLayersOf27b, config);
  const std::string pattern = "attention.sliding_window_pattern";
  const int64_t window = r.get<int64_t>("attention.sliding_window").value_or(0);
  if (window <= 0) {
    config["sliding_window_pattern"] = 1;
    return;
  }
  config["sliding_window"] = window;
  config["rope_local_base_freq"] = r.get<double>("rope.freq_base_swa").value_or(10000);
  const GgufValue* given = r.file().find("gemma3." + pattern);
  if (given == nullptr) return;
  if (!given->is_array) {
    config["sliding_window_pattern"] = r.get<int64_t>(pattern).value_or(0);
    return;
  }
  json types = json::array();
  for (const bool sliding : r.get<std::vector<bool>>(pattern).value_or(std::vector<bool>()))
    types.push_back(sliding ? "sliding_attention" : "full_attention");
  config["layer_types"] = types;
}

void add_granite(GgufReader& r, json& config) {
  const double head_dim = config["head_dim"].get<double>();
  config["attention_multiplier"] =
      r.get<double>("attention.scale").value_or(head_dim > 0 ? 1 / std::sqrt(head_dim) : 1);
  config["embedding_multiplier"] = r.get<double>("embedding_scale").value_or(1);
  config["residual_multiplier"] = r.get<double>("residual_scale").value_or(1);
  config["logits_scaling"] = r.require<double>("logit_scale");
  if (!r.get<bool>("rope.scaling.finetuned").value_or(true))
    r.fail("rope.scaling.finetuned", "false (no position embedding) is not supported");
}

void add_own_keys(GgufReader& r, std::string_view architecture, json& config) {
  if (architecture == "gemma2") return add_gemma2(r, config);
  if (architecture == "gemma3") return add_gemma3(r, config);
  if (architecture == "granite") return add_granite(r, config);
  const int64_t window = r.get<int64_t>("attention.sliding_window").value_or(0);
  if (architecture == "phi3" && window > 0) config["sliding_window"] = window;
  if (architecture == "olmo2" && window > 0)
    r.fail("attention.sliding_window", "OLMo 3 is not supported");
}

/// Tokens that end a turn whatever the metadata says: llama.cpp's list, as far as the architectures
/// here use it.
constexpr std::string_view kEndTexts[] = {
    "<|eot_id|>",        "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",   "</s>",
    "<|eom_id|>",        "<EOT>",      "_<EOT>",  "[EOT]",         "<|end_of_text|>", "<eos>",
    "<end_of_utterance>"};

void add_token_ids(GgufReader& r, json& config) {
  config["bos_token_id"] = nullptr;  // none, not what the architecture has by default
  config["eos_token_id"] = nullptr;
  const std::string ids = "tokenizer.ggml.";
  if (const auto bos = r.get_global<int64_t>(ids + "bos_token_id")) config["bos_token_id"] = *bos;
  std::vector<int64_t> ends;
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"})
    if (const auto id = r.get_global<int64_t>(ids + key)) ends.push_back(*id);
  const auto tokens = r.get_global<std::vector<std::string_view>>(ids + "tokens");
  for (size_t i = 0; tokens && i < tokens->size(); ++i)
    if (std::ranges::find(kEndTexts, (*tokens)[i]) != std::end(kEndTexts))
      ends.push_back(int64_t(i));
  std::ranges::sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  if (!ends.empty()) config["eos_token_id"] = ends;
}

}  // namespace

Result<json> gguf_config_json(const GgufFile& file) {
  TERN_ASSIGN(const GgufArchitecture* const architecture, gguf_architecture(file));
  TERN_ASSIGN(const auto parts, file.get_optional<int64_t>("split.count"));
  if (parts.value_or(0) > 1)
    return Status(Code::kUnimplemented,
                  file.path() + ": split.count: one of " + std::to_string(*parts) +
                      " parts of a model; merge them with llama.cpp's llama-gguf-split");
  GgufReader r(file, architecture->name);
  json config{{"architectures", {std::string(architecture->hf_architecture)}},
              {"model_type", std::string(architecture->hf_model_type)}};
  add_sizes(r, config);
  TERN_TRY(r.status());
  add_rope(r, *architecture, config);
  add_own_keys(r, architecture->name, config);
  add_token_ids(r, config);
  TERN_TRY(r.status());
  return config;
}

Result<ModelConfig> read_gguf_config(const GgufFile& file) {
  TERN_ASSIGN(const json config, gguf_config_json(file));
  return parse_model_config(config, file.path());
}

}  // namespace tern
