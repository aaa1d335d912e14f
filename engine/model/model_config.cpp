#include "engine/model/model_config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "engine/io/checkpoint.h"
#include "engine/model/config_class.h"
#include "engine/model/config_reader.h"

namespace tern {
namespace {

using nlohmann::json;

Status parse_rope_type(ConfigReader& r, RopeConfig& rope) {
  std::string name = "default";
  r.string("type", name);  // the old key; the new one wins
  r.string("rope_type", name);
  TERN_TRY(r.status());
  // "dynamic" stretches sequences beyond max_position_embeddings, and "mrope" gives images
  // positions of their own: text within the context, which is all that is served, is turned as by
  // default.
  if (name == "default" || name == "dynamic" || name == "mrope") {
    rope.type = RopeType::kDefault;
  } else if (name == "linear") {
    rope.type = RopeType::kLinear;
  } else if (name == "llama3") {
    rope.type = RopeType::kLlama3;
  } else if (name == "yarn") {
    rope.type = RopeType::kYarn;
  } else if (name == "longrope" || name == "su") {  // "su" was its name in Phi-3's first files
    rope.type = RopeType::kLongrope;
  } else {
    r.fail("rope_type",
           "'" + name +
               "' is not supported; tern knows default, linear, dynamic, llama3, "
               "yarn, longrope",
           Code::kUnimplemented);
  }
  return r.status();
}

Status parse_rope_parameters(const json& object, const std::string& where, RopeConfig& rope) {
  if (!object.is_object()) return invalid_argument(where + ": must be an object");
  ConfigReader r(object, where);
  TERN_TRY(parse_rope_type(r, rope));
  r.number("rope_theta", rope.theta, 1.0, 1e12);
  r.number("partial_rotary_factor", rope.partial_rotary_factor, 1e-3, 1.0);
  const bool has_factor = rope.type != RopeType::kDefault && rope.type != RopeType::kLongrope;
  r.number("factor", rope.factor, 1e-3, 1e6, has_factor);
  if (rope.type == RopeType::kLongrope) {
    r.numbers("short_factor", rope.short_factor, 1e-6, 1e6, true);
    r.numbers("long_factor", rope.long_factor, 1e-6, 1e6, true);
  }
  if (rope.type == RopeType::kLlama3) {
    r.number("low_freq_factor", rope.low_freq_factor, 1e-3, 1e6, true);
    r.number("high_freq_factor", rope.high_freq_factor, 1e-3, 1e6, true);
    if (r.status().ok() && rope.high_freq_factor <= rope.low_freq_factor)
      r.fail("high_freq_factor", "must be larger than low_freq_factor");
  }
  r.number("beta_fast", rope.beta_fast, 1e-6, 1e6);
  r.number("beta_slow", rope.beta_slow, 1e-6, 1e6);
  r.boolean("truncate", rope.truncate);
  r.number("attention_factor", rope.attention_factor, 1e-6, 1e6);
  r.number("mscale", rope.mscale, -1e6, 1e6);
  r.number("mscale_all_dim", rope.mscale_all_dim, -1e6, 1e6);
  r.integer("original_max_position_embeddings", rope.original_max_position_embeddings, 1, 1 << 30,
            false);
  return r.status();
}

// transformers 5 has one object for all layers, or one for each type of layer.
Status parse_rope_object(const json& object, const std::string& where, ModelConfig& c) {
  if (!object.is_object() || !object.contains("full_attention"))
    return parse_rope_parameters(object, where, c.rope);
  TERN_TRY(parse_rope_parameters(object["full_attention"], where + ": full_attention", c.rope));
  if (!object.contains("sliding_attention")) return {};
  c.local_rope.emplace();
  return parse_rope_parameters(object["sliding_attention"], where + ": sliding_attention",
                               *c.local_rope);
}

Status finish_rope(const ModelConfig& c, RopeConfig& rope) {
  const int32_t rotary_dim = rope.rotary_dim(c.head_dim);
  if (rotary_dim < 2 || rotary_dim % 2 != 0)
    return invalid_argument(
        c.source + ": partial_rotary_factor: " + std::to_string(rope.partial_rotary_factor) +
        " of head_dim " + std::to_string(c.head_dim) + " must be even");
  if (rope.original_max_position_embeddings == 0)
    rope.original_max_position_embeddings = c.max_position_embeddings;
  if (rope.type != RopeType::kLongrope) return {};
  for (const std::vector<double>* factors : {&rope.short_factor, &rope.long_factor})
    if (int64_t(factors->size()) != rotary_dim / 2)
      return invalid_argument(
          c.source + ": " + (factors == &rope.short_factor ? "short_factor" : "long_factor") +
          ": must have one number for each of " + std::to_string(rotary_dim / 2) +
          " frequencies, has " + std::to_string(factors->size()));
  if (rope.original_max_position_embeddings != c.max_position_embeddings)
    rope.factor = double(c.max_position_embeddings) / rope.original_max_position_embeddings;
  return {};
}

// `has_local`: the class has a frequency of its own for layers with a window.
Status parse_rope(ConfigReader& r, bool has_local, ModelConfig& c) {
  r.number("rope_theta", c.rope.theta, 1.0, 1e12);
  r.number("partial_rotary_factor", c.rope.partial_rotary_factor, 1e-3, 1.0);
  if (has_local && r.member("rope_local_base_freq", false) != nullptr)
    r.number("rope_local_base_freq", c.local_rope.emplace().theta, 1.0, 1e12);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const json* object = r.member(key, false);
    if (object == nullptr || object->empty()) continue;
    TERN_TRY(parse_rope_object(*object, c.source + ": " + key, c));
    break;  // as in transformers: the old key, where a file has both
  }
  // Of the classes that tern has only Phi-3's turns a part of a head; the others pass over the key.
  if (c.architecture != "Phi3ForCausalLM") {
    c.rope.partial_rotary_factor = 1;
    if (c.local_rope) c.local_rope->partial_rotary_factor = 1;
  }
  r.number(kGgufRotaryFactor, c.rope.partial_rotary_factor, 1e-3, 1.0);
  // Only Phi-3's class has this key, and it wins over the one of the same name among the
  // parameters.
  if (c.architecture == "Phi3ForCausalLM")
    r.integer("original_max_position_embeddings", c.rope.original_max_position_embeddings, 1,
              1 << 30, false);
  TERN_TRY(r.status());
  if (c.local_rope) TERN_TRY(finish_rope(c, *c.local_rope));
  return finish_rope(c, c.rope);
}

/// Ids by default, which a smaller vocabulary lacks, are none.
void drop_default_ids(const CompleteConfig& complete, int32_t vocab_size, json& keys) {
  for (const char* key : {"bos_token_id", "eos_token_id"}) {
    const auto id = complete.default_keys.find(key);
    if (id != complete.default_keys.end() && keys[key] == *id && *id >= vocab_size)
      keys[key] = nullptr;
  }
}

/// One id or a list of them. Those that the vocabulary lacks cost a warning, not the start.
std::vector<int32_t> parse_ids(ConfigReader& r, const char* key, const ModelConfig& c) {
  const json* v = r.member(key, false);
  std::vector<int32_t> ids;
  if (v == nullptr) return ids;
  for (const json& id : v->is_array() ? *v : json::array({*v})) {
    const double number = id.is_number() ? id.get<double>() : -1;
    if (number >= 0 && number < c.vocab_size && number == std::trunc(number))
      ids.push_back(static_cast<int32_t>(number));
    else
      spdlog::warn("{}: {}: must be token ids below {}; {} is ignored", c.source, key, c.vocab_size,
                   id.dump(-1, ' ', true).substr(0, 60));
  }
  return ids;
}

/// By the names that transformers has for the functions that tern has: several are one function,
/// written in different ways.
void parse_activation(ConfigReader& r, const char* key, Activation& out) {
  constexpr std::pair<std::string_view, Activation> kNames[] = {
      {"silu", Activation::kSilu},
      {"swish", Activation::kSilu},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"gelu_python_tanh", Activation::kGeluTanh},
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_fast", Activation::kGeluTanh},
      {"gelu_accurate", Activation::kGeluTanh}};
  std::string name, known;
  r.string(key, name, true);
  for (const auto& [text, activation] : kNames) {
    if (name == text) {
      out = activation;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  r.fail(key, "'" + name + "' is not supported; tern knows " + known, Code::kUnimplemented);
}

void parse_sizes(ConfigReader& r, ModelConfig& c) {
  constexpr int64_t kMax = 1 << 24;
  r.integer("vocab_size", c.vocab_size, 1, kMax);
  r.integer("hidden_size", c.hidden, 1, kMax);
  r.integer("intermediate_size", c.intermediate, 1, kMax);
  r.integer("num_hidden_layers", c.num_layers, 1, 4096);
  r.integer("num_attention_heads", c.num_heads, 1, 4096);
  c.num_kv_heads = c.num_heads;
  r.integer("num_key_value_heads", c.num_kv_heads, 1, 4096, false);
  r.integer("max_position_embeddings", c.max_position_embeddings, 1, 1 << 30);
  if (!r.status().ok()) return;
  if (c.num_heads % c.num_kv_heads != 0)
    return r.fail("num_key_value_heads", std::to_string(c.num_kv_heads) +
                                             " does not divide num_attention_heads " +
                                             std::to_string(c.num_heads));
  if (r.member("head_dim", false) == nullptr && c.hidden % c.num_heads != 0)
    return r.fail("head_dim", "is missing, and num_attention_heads " + std::to_string(c.num_heads) +
                                  " does not divide hidden_size " + std::to_string(c.hidden));
  c.head_dim = c.hidden / c.num_heads;
  r.integer("head_dim", c.head_dim, 2, 4096, false);
  if (c.head_dim % 2 != 0) r.fail("head_dim", std::to_string(c.head_dim) + " must be even");
}

}  // namespace

Result<ModelConfig> parse_model_config(const json& object, const std::string& source) {
  if (!object.is_object()) return invalid_argument(source + ": must be a JSON object");
  TERN_ASSIGN(CompleteConfig complete, complete_config(object, source));
  ModelConfig c;
  c.source = source;
  c.architecture = complete.architecture;
  c.model_type = complete.model_type;
  c.default_sizes = complete.default_sizes;
  c.is_text_part = complete.is_text_part;
  ConfigReader r(complete.keys, source);
  parse_sizes(r, c);
  r.number("rms_norm_eps", c.norm_eps, 0.0, 1.0, true);
  // Gemma's classes have the one, the others the other.
  const bool is_gemma = complete.default_keys.contains("hidden_activation");
  parse_activation(r, is_gemma ? "hidden_activation" : "hidden_act", c.activation);
  r.boolean("tie_word_embeddings", c.tie_word_embeddings);
  r.boolean("attention_bias", c.attention_bias);
  r.boolean("mlp_bias", c.mlp_bias);
  TERN_TRY(r.status());
  TERN_TRY(parse_rope(r, complete.default_keys.contains("rope_local_base_freq"), c));
  drop_default_ids(complete, c.vocab_size, complete.keys);
  c.eos_token_ids = parse_ids(r, "eos_token_id", c);
  if (const std::vector<int32_t> bos = parse_ids(r, "bos_token_id", c); !bos.empty())
    c.bos_token_id = bos.front();
  for (const char* key : {"quantization_config", "quantization"})  // the second is MLX's
    if (r.member(key, false) != nullptr)
      r.fail(key, "quantized checkpoints are not supported", Code::kUnimplemented);
  TERN_TRY(r.status());
  c.json = std::make_shared<const json>(std::move(complete.keys));
  return c;
}

Result<ModelConfig> read_model_config(const std::string& path) {
  TERN_ASSIGN(const json object, read_json_file(path));
  return parse_model_config(object, path);
}

}  // namespace tern
