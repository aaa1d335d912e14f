// What configs may leave out, which keys of theirs count, and what tern refuses in them.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/cpu_info.h"
#include "engine/io/checkpoint.h"
#include "engine/step/score.h"
#include "tests/support/source_dir.h"

using namespace tern;
using nlohmann::json;

namespace {

const std::string kGolden = source_path("tests/data/golden/");

json config_of(const std::string& model, const std::string& file = "config.json") {
  return *read_json_file(kGolden + model + "/" + file);
}

Result<LoadedModel> load(const std::string& model, const json& config) {
  TERN_ASSIGN(const ModelConfig parsed, parse_model_config(config, "c.json"));
  TERN_ASSIGN(auto weights, open_weights(kGolden + model));
  TERN_ASSIGN(std::shared_ptr<const Model> loaded,
              load_model(parsed, std::move(weights), {.max_model_len = 48}));
  return LoadedModel{std::move(loaded), std::make_shared<ThreadPool>(1)};
}

/// The logits of 40 tokens, all positions: more than any window here.
std::vector<float> logits(const std::string& model, const json& config) {
  const Result<LoadedModel> loaded = load(model, config);
  INFO(loaded.status().message());
  REQUIRE(loaded.ok());
  const auto scorer = *Scorer::create(*loaded, {"f32", 1, cpu_info().best_isa}, {.max_len = 40});
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 40; ++i) tokens.push_back(3 + i * 37 % 300);
  std::vector<float> all;
  REQUIRE(scorer
              ->run(tokens,
                    [&](int32_t, std::span<const float> row) {
                      all.insert(all.end(), row.begin(), row.end());
                    })
              .ok());
  return all;
}

std::string failure(const std::string& model, const json& config) {
  const Result<LoadedModel> loaded = load(model, config);
  REQUIRE(!loaded.ok());
  return loaded.status().message();
}

}  // namespace

TEST_CASE("layers slide by list or by pattern", "[arch][gemma]") {
  for (const std::string model : {"gemma2", "gemma3"}) {
    CAPTURE(model);
    const std::vector<float> expected = logits(model, config_of(model));
    json config = config_of(model);
    config.erase("layer_types");
    config.erase("_sliding_window_pattern");
    CHECK(logits(model, config) == expected);
    config["sliding_window_pattern"] = 3;  // a key of Gemma 3's class alone
    CHECK((logits(model, config) == expected) == (model == "gemma2"));
    config = config_of(model);
    config["layer_types"][0] = "full_attention";
    CHECK(logits(model, config) != expected);
    config = config_of(model);
    config["sliding_window"] = 7;
    CHECK(logits(model, config) != expected);
  }
}

TEST_CASE("keys that are absent have the reference's defaults", "[arch][gemma]") {
  json config = config_of("gemma2");
  const std::vector<float> other = logits("gemma2", config);
  config["attn_logit_softcapping"] = 50.0;
  config["final_logit_softcapping"] = 30.0;
  config["query_pre_attn_scalar"] = 256;
  const std::vector<float> expected = logits("gemma2", config);
  CHECK(expected != other);
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping",
                          "query_pre_attn_scalar", "tie_word_embeddings", "hidden_activation"})
    config.erase(key);
  CHECK(logits("gemma2", config) == expected);
  config["attn_logit_softcapping"] = nullptr;  // none, which is not its default
  CHECK(logits("gemma2", config) != expected);

  config = config_of("gemma3", "config.old.json");
  const std::vector<float> gemma3 = logits("gemma3", config);
  config.erase("rope_local_base_freq");  // 10000, as it is there
  config.erase("rope_theta");            // 1000000, as it is there
  CHECK(logits("gemma3", config) == gemma3);
  config["rope_local_base_freq"] = 1e6;
  CHECK(logits("gemma3", config) != gemma3);
}

TEST_CASE("keys that a class does not have are passed over", "[arch]") {
  const auto same = [](const std::string& model, const json& more) {
    json config = config_of(model);
    const std::vector<float> expected = logits(model, config);
    config.update(more);
    return logits(model, config) == expected;
  };
  CHECK(same("gemma3", {{"attn_logit_softcapping", 2.0}}));
  CHECK(same("llama", {{"partial_rotary_factor", 0.5}}));
  CHECK(same("llama", {{"sliding_window", 7}, {"rope_local_base_freq", 100.0}}));
  CHECK(same("mistral-window", {{"rope_local_base_freq", 100.0}, {"partial_rotary_factor", 0.5}}));
  json nested = config_of("llama")["rope_parameters"];
  nested["partial_rotary_factor"] = 0.5;
  CHECK(same("llama", {{"rope_parameters", nested}}));
}

TEST_CASE("Mistral's layers slide by its model type, in those that the config lists",
          "[arch][mistral]") {
  const std::string model = "mistral-window";
  json config = config_of(model);
  const std::vector<float> expected = logits(model, config);
  config["architectures"] = {"LlamaForCausalLM"};  // the type counts
  CHECK(logits(model, config) == expected);
  const json sliding = "sliding_attention", full = "full_attention";
  config["layer_types"] = {sliding, sliding, sliding};
  CHECK(logits(model, config) == expected);
  config["layer_types"] = {full, full, full};
  const std::vector<float> without = logits(model, config);
  CHECK(without != expected);
  config.erase("layer_types");
  config["sliding_window"] = nullptr;
  CHECK(logits(model, config) == without);
}

TEST_CASE("the logits softcap bounds the logits", "[arch][gemma]") {
  json config = config_of("gemma2");
  config["final_logit_softcapping"] = 0.25;
  for (const float x : logits("gemma2", config)) REQUIRE(std::abs(x) <= 0.25f);
}

TEST_CASE("what Gemma's config asks for and tern does not know is refused", "[arch][gemma]") {
  json config = config_of("gemma3");
  config["layer_types"][2] = "chunked_attention";
  CHECK(failure("gemma3", config).find(R"(layer_types: "chunked_attention" is not supported)") !=
        std::string::npos);
  config["layer_types"] = json::array({"full_attention"});
  CHECK(failure("gemma3", config) ==
        "c.json: layer_types: must have one entry for each of num_hidden_layers 6");
  config = config_of("gemma3");
  config["use_bidirectional_attention"] = true;
  CHECK(failure("gemma3", config).find("use_bidirectional_attention") != std::string::npos);
  config = config_of("gemma3");
  config["hidden_activation"] = "relu";
  CHECK(failure("gemma3", config) ==
        "c.json: hidden_activation: 'relu' is not supported; tern knows silu, swish, "
        "gelu_pytorch_tanh, gelu_python_tanh, gelu_new, gelu_fast, gelu_accurate");
}
