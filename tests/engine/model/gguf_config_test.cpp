// The metadata of GGUF files as Hugging Face's config.json.
#include "engine/model/gguf_config.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/engine/io/gguf_writer.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::GgufWriter;

namespace {

/// What every file has; `vocab` is the rows of the embedding.
GgufWriter model(const std::string& architecture, uint64_t vocab = 10) {
  const auto key = [&](const char* name) { return architecture + "." + name; };
  GgufWriter w;
  w.set("general.architecture", architecture.c_str());
  w.set(key("embedding_length"), uint32_t(64)).set(key("block_count"), uint32_t(2));
  w.set(key("feed_forward_length"), uint32_t(96)).set(key("context_length"), uint32_t(512));
  w.set(key("attention.head_count"), uint32_t(4)).set(key("attention.head_count_kv"), uint32_t(2));
  w.set(key("attention.layer_norm_rms_epsilon"), 1e-5f);
  return w.tensor("token_embd.weight", {vocab, 64}, std::vector<float>(vocab * 64));
}

Result<json> config_of(const GgufWriter& w) {
  const test::TempDir dir;
  const auto file = GgufFile::open(dir.write("x.gguf", w.file()));
  INFO(file.status().message());
  REQUIRE(file.ok());
  return gguf_config_json(*file);
}

json config(const GgufWriter& w) {
  const Result<json> result = config_of(w);
  INFO(result.status().message());
  REQUIRE(result.ok());
  return *result;
}

Status refusal(const GgufWriter& w) {
  const Result<json> result = config_of(w);
  REQUIRE_FALSE(result.ok());
  CHECK_THAT(result.status().message(), Contains("x.gguf"));
  return result.status();
}

ModelConfig parsed(const GgufWriter& w) {
  const auto result = parse_model_config(config(w), "x");
  INFO(result.status().message());
  REQUIRE(result.ok());
  return *result;
}

}  // namespace

TEST_CASE("a plain GGUF file has a plain config", "[model][gguf]") {
  GgufWriter w = model("llama");
  w.set("llama.rope.freq_base", 500000.0f);
  w.set("tokenizer.ggml.bos_token_id", uint32_t(1)).set("tokenizer.ggml.eos_token_id", uint32_t(2));
  const ModelConfig c = parsed(w);
  CHECK(c.architecture == "LlamaForCausalLM");
  CHECK(c.model_type == "llama");
  CHECK(c.vocab_size == 10);
  CHECK(c.hidden == 64);
  CHECK(c.intermediate == 96);
  CHECK(c.num_layers == 2);
  CHECK(c.num_heads == 4);
  CHECK(c.num_kv_heads == 2);
  CHECK(c.head_dim == 16);
  CHECK(c.max_position_embeddings == 512);
  CHECK(c.norm_eps == 1e-5f);
  CHECK(c.tie_word_embeddings);
  CHECK_FALSE(c.attention_bias);
  CHECK_FALSE(c.mlp_bias);
  CHECK(c.rope.type == RopeType::kDefault);
  CHECK(c.rope.theta == 500000);
  CHECK(c.bos_token_id == 1);
  CHECK(c.eos_token_ids == std::vector<int32_t>{2});

  GgufWriter biased = model("llama");
  biased.tensor("output.weight", {10, 64}, std::vector<float>(640));
  biased.tensor("blk.0.attn_q.bias", {64}, std::vector<float>(64));
  biased.tensor("blk.0.ffn_up.bias", {96}, std::vector<float>(96));
  CHECK_FALSE(parsed(biased).tie_word_embeddings);
  CHECK(parsed(biased).attention_bias);
  CHECK(parsed(biased).mlp_bias);
}

TEST_CASE("every GGUF architecture becomes its Hugging Face class", "[model][gguf]") {
  const auto [name, hf_architecture, model_type] = GENERATE(
      table<std::string, std::string, std::string>({{"gemma2", "Gemma2ForCausalLM", "gemma2"},
                                                    {"gemma3", "Gemma3ForCausalLM", "gemma3_text"},
                                                    {"granite", "GraniteForCausalLM", "granite"},
                                                    {"olmo2", "Olmo2ForCausalLM", "olmo2"},
                                                    {"phi3", "Phi3ForCausalLM", "phi3"},
                                                    {"qwen2", "Qwen2ForCausalLM", "qwen2"},
                                                    {"qwen3", "Qwen3ForCausalLM", "qwen3"},
                                                    {"smollm3", "SmolLM3ForCausalLM", "smollm3"}}));
  GgufWriter w = model(name);
  if (name == "granite") w.set("granite.logit_scale", 2.0f);
  w.set(name + ".attention.key_length", uint32_t(32));
  w.set(name + ".attention.value_length", uint32_t(32));
  const ModelConfig c = parsed(w);
  CHECK(c.architecture == hf_architecture);
  CHECK(c.model_type == model_type);
  CHECK(c.head_dim == 32);
}

TEST_CASE("RoPE scaling of GGUF metadata", "[model][gguf]") {
  SECTION("linear, with and without its name") {
    GgufWriter w = model("llama");
    w.set("llama.rope.scaling.factor", 4.0f);
    if (GENERATE(false, true)) w.set("llama.rope.scaling.type", "linear");
    const ModelConfig c = parsed(w);
    CHECK(c.rope.type == RopeType::kLinear);
    CHECK(c.rope.factor == 4);
  }
  SECTION("none") {
    GgufWriter w = model("llama");
    w.set("llama.rope.scaling.type", "none").set("llama.rope.scaling.factor", 4.0f);
    CHECK(parsed(w).rope.type == RopeType::kDefault);
  }
  SECTION("yarn") {
    GgufWriter w = model("qwen2");
    w.set("qwen2.rope.scaling.type", "yarn").set("qwen2.rope.scaling.factor", 4.0f);
    w.set("qwen2.rope.scaling.original_context_length", uint32_t(128));
    w.set("qwen2.rope.scaling.yarn_attn_factor", 1.5f);
    w.set("qwen2.rope.scaling.yarn_beta_fast", 16.0f);
    w.set("qwen2.rope.scaling.yarn_beta_slow", 2.0f);
    const ModelConfig c = parsed(w);
    CHECK(c.rope.type == RopeType::kYarn);
    CHECK(c.rope.original_max_position_embeddings == 128);
    CHECK(c.rope.attention_factor == 1.5);
    CHECK(c.rope.beta_fast == 16);
    CHECK(c.rope.beta_slow == 2);
  }
  SECTION("divisors of Llama 3 hold for the whole context") {
    GgufWriter w = model("llama");
    w.tensor("rope_freqs.weight", {8}, {1, 1, 1, 1.5f, 2, 4, 8, 8});
    const ModelConfig c = parsed(w);
    CHECK(c.rope.type == RopeType::kLongrope);
    CHECK(c.rope.short_factor == std::vector<double>{1, 1, 1, 1.5, 2, 4, 8, 8});
    CHECK(c.rope.long_factor == c.rope.short_factor);
    CHECK(c.rope.attention_factor == 1.0);
    CHECK(c.rope.original_max_position_embeddings == 512);
  }
  SECTION("longrope over a part of the head") {
    GgufWriter w = model("phi3");
    w.set("phi3.rope.dimension_count", uint32_t(12)).set("phi3.rope.scaling.attn_factor", 1.25f);
    w.set("phi3.rope.scaling.original_context_length", uint32_t(64));
    w.set("phi3.attention.sliding_window", uint32_t(0));
    w.tensor("rope_factors_short.weight", {6}, {1, 1, 1, 1, 1, 2});
    w.tensor("rope_factors_long.weight", {6}, {1, 2, 3, 4, 5, 6});
    const ModelConfig c = parsed(w);
    CHECK(c.rope.type == RopeType::kLongrope);
    CHECK(c.rope.rotary_dim(c.head_dim) == 12);
    CHECK(c.rope.short_factor.back() == 2);
    CHECK(c.rope.long_factor.back() == 6);
    CHECK(c.rope.attention_factor == 1.25);
    CHECK(c.rope.original_max_position_embeddings == 64);
    CHECK_FALSE(c.json->contains("sliding_window"));
  }
  SECTION("every rotary dimension survives the detour over a share") {
    for (uint32_t head_dim = 2; head_dim <= 256; head_dim += 2) {
      GgufWriter w = model("phi3");
      w.set("phi3.attention.key_length", head_dim).set("phi3.attention.value_length", head_dim);
      const uint32_t rotary = head_dim / 3 / 2 * 2 + 2;
      w.set("phi3.rope.dimension_count", std::min(rotary, head_dim));
      CHECK(parsed(w).rope.rotary_dim(int32_t(head_dim)) == int32_t(std::min(rotary, head_dim)));
    }
  }
}

TEST_CASE("what Gemma's GGUF files leave out has llama.cpp's defaults", "[model][gguf]") {
  GgufWriter gemma2 = model("gemma2");
  gemma2.set("gemma2.attn_logit_softcapping", 50.0f);
  const json two = config(gemma2);
  CHECK(two["sliding_window"] == 4096);
  CHECK(two["query_pre_attn_scalar"] == 16);
  CHECK(two["attn_logit_softcapping"] == 50);
  CHECK_FALSE(two.contains("final_logit_softcapping"));

  CHECK(config(model("gemma3"))["sliding_window_pattern"] == 1);
  GgufWriter gemma3 = model("gemma3");
  gemma3.set("gemma3.attention.sliding_window", uint32_t(8));
  const json three = config(gemma3);
  CHECK(three["sliding_window"] == 8);
  CHECK(three["rope_local_base_freq"] == 10000);
  CHECK_FALSE(three.contains("sliding_window_pattern"));

  GgufWriter every_third = gemma3;
  every_third.set("gemma3.attention.sliding_window_pattern", uint32_t(3));
  CHECK(config(every_third)["sliding_window_pattern"] == 3);
  gemma3.set("gemma3.attention.sliding_window_pattern", std::vector<uint8_t>{1, 0});
  gemma3.set("gemma3.rope.freq_base_swa", 20000.0f);
  CHECK(config(gemma3)["layer_types"] == json{"sliding_attention", "full_attention"});
  CHECK(config(gemma3)["rope_local_base_freq"] == 20000);
}

TEST_CASE("Granite's scales keep llama.cpp's meaning", "[model][gguf]") {
  GgufWriter w = model("granite");
  w.set("granite.logit_scale", 2.0f);
  const json plain = config(w);
  CHECK(plain["attention_multiplier"] == 0.25);  // 1 / sqrt(head_dim)
  CHECK(plain["embedding_multiplier"] == 1);
  CHECK(plain["residual_multiplier"] == 1);
  CHECK(plain["logits_scaling"] == 2);
  w.set("granite.attention.scale", 0.5f).set("granite.embedding_scale", 3.0f);
  w.set("granite.residual_scale", 0.125f);
  CHECK(config(w)["attention_multiplier"] == 0.5);
  CHECK(config(w)["embedding_multiplier"] == 3);
  CHECK(config(w)["residual_multiplier"] == 0.125);
  CHECK_THAT(refusal(model("granite")).message(), Contains("granite.logit_scale"));
}

TEST_CASE("tokens that end a turn by id or by text", "[model][gguf]") {
  GgufWriter w = model("llama");
  w.set("tokenizer.ggml.eos_token_id", uint32_t(7)).set("tokenizer.ggml.eot_token_id", uint32_t(3));
  w.set("tokenizer.ggml.tokens",
        std::vector<std::string>{"<|endoftext|>", "a", "<|im_end|>", "b", "c"});
  CHECK(parsed(w).eos_token_ids == std::vector<int32_t>{0, 2, 3, 7});
}

TEST_CASE("GGUF models that tern cannot run are refused by key", "[model][gguf]") {
  const auto with = [](const char* key, uint32_t value) {
    GgufWriter w = model("llama");
    return refusal(w.set(key, value));
  };
  CHECK(with("llama.expert_count", 8).code() == Code::kUnimplemented);
  CHECK_THAT(with("llama.expert_count", 8).message(), Contains("llama.expert_count"));
  CHECK_THAT(with("split.count", 2).message(), Contains("split.count") && Contains("2 parts"));
  CHECK_THAT(with("llama.attention.value_length", 8).message(), Contains("value_length"));
  CHECK_THAT(with("llama.rope.dimension_count", 8).message(), Contains("rope.dimension_count"));
  CHECK_THAT(with("llama.rope.dimension_count", 18).message(), Contains("from 2 to the 16"));
  CHECK_THAT(with("llama.rope.freq_base", 8).message(), Contains("must be a finite float"));

  GgufWriter scaled = model("llama");
  CHECK_THAT(refusal(scaled.set("llama.rope.scaling.type", "dynamic")).message(),
             Contains("\"dynamic\"") && Contains("longrope"));
  CHECK(refusal(model("olmo2").set("olmo2.attention.sliding_window", uint32_t(8))).code() ==
        Code::kUnimplemented);
  CHECK_THAT(refusal(model("qwen2moe")).message(), Contains("qwen2moe") && Contains("qwen2, "));

  GgufWriter vocabulary;
  vocabulary.set("general.architecture", "llama");
  CHECK_THAT(refusal(vocabulary).message(), Contains("llama.embedding_length: is missing"));
  GgufWriter headless = model("llama");
  headless.tensor("rope_freqs.weight", {2, 4}, std::vector<float>(8));
  CHECK_THAT(refusal(headless).message(), Contains("rope_freqs.weight") && Contains("vector"));
}
