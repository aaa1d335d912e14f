// What a config.json leaves out is as in transformers, and of multimodal ones the text model
// counts.
#include "engine/model/config_class.h"

#include <catch2/catch.hpp>

#include "engine/arch/registry.h"
#include "engine/io/checkpoint.h"
#include "engine/model/model_config.h"
#include "tests/support/source_dir.h"

using namespace tern;
using nlohmann::json;

namespace {

void check_rope(const RopeConfig& rope, const json& expected) {
  const std::string type = expected["rope_type"];
  CAPTURE(type);
  CHECK(rope.theta == expected["rope_theta"].get<double>());
  const RopeType known = type == "linear"     ? RopeType::kLinear
                         : type == "llama3"   ? RopeType::kLlama3
                         : type == "yarn"     ? RopeType::kYarn
                         : type == "longrope" ? RopeType::kLongrope
                                              : RopeType::kDefault;
  CHECK(rope.type == known);
  if (rope.type == RopeType::kDefault) return;
  if (rope.type != RopeType::kLinear)
    CHECK(rope.original_max_position_embeddings == expected["original_max_position_embeddings"]);
  if (expected.contains("factor") && rope.type != RopeType::kLongrope)
    CHECK(rope.factor == expected["factor"].get<double>());
}

void check_sizes(const ModelConfig& c, const json& expected) {
  CHECK(c.vocab_size == expected["vocab_size"]);
  CHECK(c.hidden == expected["hidden_size"]);
  CHECK(c.intermediate == expected["intermediate_size"]);
  CHECK(c.num_layers == expected["num_hidden_layers"]);
  CHECK(c.num_heads == expected["num_attention_heads"]);
  CHECK(c.num_kv_heads == expected["num_key_value_heads"]);
  CHECK(c.head_dim == expected["head_dim"]);
  CHECK(c.max_position_embeddings == expected["max_position_embeddings"]);
  CHECK(c.norm_eps == expected["rms_norm_eps"].get<float>());
}

void check_tokens(const ModelConfig& c, const json& expected) {
  const json &bos = expected["bos_token_id"], &eos = expected["eos_token_id"];
  CHECK(c.bos_token_id == (bos.is_null() ? std::nullopt : std::optional(bos.get<int32_t>())));
  CHECK(c.eos_token_ids ==
        (eos.is_null() ? std::vector<int32_t>() : std::vector{eos.get<int32_t>()}));
}

Result<ModelConfig> parse(const char* text) {
  return parse_model_config(json::parse(text), "c.json");
}

std::string failure(const char* text) {
  const auto parsed = parse(text);
  REQUIRE(!parsed.ok());
  return parsed.status().message();
}

}  // namespace

TEST_CASE("absent and null keys are as transformers has them", "[model][config]") {
  const auto vectors = read_json_file(source_path("tests/data/config-defaults.json"));
  REQUIRE(vectors.ok());
  REQUIRE(vectors->size() > 300);  // made by make_config_vectors.py
  for (const json& v : *vectors) {
    CAPTURE(v["config"].dump());
    const auto parsed = parse_model_config(v["config"], "c.json");
    INFO(parsed.status().message());
    REQUIRE(parsed.ok());
    const json& expected = v["expected"];
    check_sizes(*parsed, expected);
    check_tokens(*parsed, expected);
    if (expected.contains("tie_word_embeddings"))
      CHECK(parsed->tie_word_embeddings == expected["tie_word_embeddings"]);
    CHECK((parsed->activation == Activation::kSilu ? "silu" : "gelu_tanh") ==
          expected["activation"]);
    CHECK(parsed->attention_bias == expected["attention_bias"]);
    CHECK(parsed->mlp_bias == expected["mlp_bias"]);
    check_rope(parsed->rope, expected["rope"]);
    REQUIRE(parsed->local_rope.has_value() == expected.contains("local_rope"));
    if (parsed->local_rope) check_rope(*parsed->local_rope, expected["local_rope"]);
    for (const auto& [key, value] : expected["own"].items()) {
      CAPTURE(key);
      CHECK(parsed->json->value(key, json()) == value);
    }
  }
}

TEST_CASE("every architecture that is served has its class", "[model][config]") {
  for (const Architecture& a : architectures()) {
    CAPTURE(a.name);
    const auto parsed = parse_model_config(json{{"architectures", {a.name}}}, "c.json");
    REQUIRE(parsed.ok());
    CHECK(parsed->architecture == a.name);
  }
}

TEST_CASE("a multimodal config is read as its text model's", "[model][config]") {
  const auto gemma = parse(R"({"architectures": ["Gemma3ForConditionalGeneration"],
      "eos_token_id": [1, 106], "model_type": "gemma3", "vision_config": {"hidden_size": 1152},
      "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
        "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024}})");
  REQUIRE(gemma.ok());
  CHECK(gemma->architecture == "Gemma3ForCausalLM");
  CHECK(gemma->is_text_part);
  CHECK(gemma->hidden == 2560);
  CHECK(gemma->num_heads == 8);
  CHECK(gemma->head_dim == 256);
  CHECK(gemma->vocab_size == 262208);
  CHECK(gemma->eos_token_ids == std::vector<int32_t>{1, 106});
  CHECK(gemma->rope.factor == 8);
  CHECK(gemma->local_rope->theta == 10000);

  const auto llava = parse(R"({"architectures": ["LlavaForConditionalGeneration"],
      "text_config": {"model_type": "mistral", "num_hidden_layers": 2, "sliding_window": null}})");
  REQUIRE(llava.ok());
  CHECK(llava->architecture == "MistralForCausalLM");
  CHECK(llava->num_layers == 2);

  const auto qwen = parse(R"({"architectures": ["Qwen2_5_VLForConditionalGeneration"],
      "model_type": "qwen2_5_vl", "hidden_size": 2048, "num_attention_heads": 16,
      "num_key_value_heads": 2, "vision_config": {},
      "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}})");
  REQUIRE(qwen.ok());
  CHECK(qwen->architecture == "Qwen2ForCausalLM");
  CHECK(qwen->hidden == 2048);
  CHECK(qwen->rope.type == RopeType::kDefault);
  CHECK(qwen->rope.theta == 1e6);
}

TEST_CASE("a multimodal model type counts where no architecture says it", "[model][config]") {
  struct Type {
    std::string name, text_type, architecture;
  };
  const Type types[] = {{"gemma3", "gemma3_text", "Gemma3ForCausalLM"},
                        {"idefics3", "llama", "LlamaForCausalLM"},
                        {"internvl", "qwen2", "Qwen2ForCausalLM"},
                        {"llava", "llama", "LlamaForCausalLM"},
                        {"llava_next", "mistral", "MistralForCausalLM"},
                        {"llava_onevision", "qwen2", "Qwen2ForCausalLM"},
                        {"mistral3", "mistral", "MistralForCausalLM"},
                        {"qwen2_vl", "qwen2_vl_text", "Qwen2ForCausalLM"},
                        {"qwen2_5_vl", "qwen2_5_vl_text", "Qwen2ForCausalLM"},
                        {"qwen3_vl", "qwen3_vl_text", "Qwen3ForCausalLM"},
                        {"smolvlm", "llama", "LlamaForCausalLM"}};
  for (const Type& type : types) {
    json config = {{"model_type", type.name},
                   {"text_config",
                    {{"model_type", type.text_type},
                     {"hidden_size", 640},
                     {"num_attention_heads", 8},
                     {"num_key_value_heads", 8},
                     {"num_hidden_layers", 3}}}};
    const json none;
    for (const json& named :
         {json("absent"), none, json::array(), json::array({type.architecture})}) {
      CAPTURE(type.name, named.dump());
      config.erase("architectures");
      if (named != "absent") config["architectures"] = named;
      const auto parsed = parse_model_config(config, "c.json");
      INFO(parsed.status().message());
      REQUIRE(parsed.ok());
      CHECK(parsed->architecture == type.architecture);
      CHECK(parsed->is_text_part);
      CHECK(parsed->hidden == 640);
      CHECK(parsed->num_layers == 3);
    }
  }
  // Without a text_config the keys of a text architecture are its own.
  const auto flat = parse(R"({"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3",
                              "hidden_size": 640})");
  REQUIRE(flat.ok());
  CHECK(flat->hidden == 640);
  CHECK_FALSE(flat->is_text_part);
}

TEST_CASE("an architecture that is not served is named before anything else", "[model][config]") {
  CHECK(
      failure(R"({"architectures": ["Llama4ForConditionalGeneration"]})")
          .starts_with("c.json: architectures: 'Llama4ForConditionalGeneration' is not supported; "
                       "tern knows Gemma2ForCausalLM, "));
  CHECK(failure(R"({"architectures": ["Mistral3ForConditionalGeneration"],
                    "text_config": {"model_type": "ministral3"}})")
            .starts_with("c.json: architectures: 'Mistral3ForConditionalGeneration' with a text "
                         "model of type 'ministral3' is not supported"));
  CHECK(failure(R"({"model_type": "mamba2"})")
            .starts_with("c.json: model_type: 'mamba2' is not supported; tern knows "));
  CHECK(failure("{}") == "c.json: architectures: is missing, and so is model_type");
  CHECK(failure(R"({"architectures": []})") ==
        "c.json: architectures: is missing, and so is model_type");
  CHECK(failure(R"({"architectures": [3]})") ==
        "c.json: architectures: must be an array with a name, is [3]");
  CHECK(failure(R"({"architectures": ["LlavaForConditionalGeneration"], "text_config": 3})") ==
        "c.json: text_config: must be an object");
}

TEST_CASE("an activation goes by any of its names", "[model][config]") {
  const auto activation = [](const std::string& name) {
    return parse_model_config(json{{"architectures", {"LlamaForCausalLM"}}, {"hidden_act", name}},
                              "c.json");
  };
  for (const char* name : {"silu", "swish"})
    CHECK(activation(name)->activation == Activation::kSilu);
  for (const char* name :
       {"gelu_pytorch_tanh", "gelu_python_tanh", "gelu_new", "gelu_fast", "gelu_accurate"})
    CHECK(activation(name)->activation == Activation::kGeluTanh);
  for (const char* name : {"gelu", "relu", "quick_gelu", ""})  // other functions
    CHECK(activation(name).status().message() ==
          "c.json: hidden_act: '" + std::string(name) +
              "' is not supported; tern knows silu, swish, gelu_pytorch_tanh, gelu_python_tanh, "
              "gelu_new, gelu_fast, gelu_accurate");
}
