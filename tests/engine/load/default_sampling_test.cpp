// How answers are sampled where a request does not say it: configuration, files, family.
#include <catch2/catch.hpp>
#include <filesystem>

#include "engine/load/family_sampling.h"
#include "engine/serve/create.h"
#include "tests/support/random_gguf.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;

namespace {

std::string of_family(const char* architecture, const char* names, bool has_template = true) {
  const FamilySampling family = family_sampling(architecture, names, has_template);
  return family.family.empty() ? "none" : family.family + ": " + describe(family.defaults);
}

/// The bundled model in a folder of another name, with this generation_config.json.
struct Copy {
  Copy(const std::string& name, const std::string& generation_config) {
    path = dir.path() + "/" + name;
    std::filesystem::copy(source_path("models/tern-stories"), path);
    std::filesystem::remove(path + "/generation_config.json");
    if (!generation_config.empty()) dir.write(name + "/generation_config.json", generation_config);
  }
  test::TempDir dir;
  std::string path;
};

ModelInfo info_of(const EngineConfig& config) {
  ModelInfo info;
  for (const Status& problem : check_engine(config, &info)) FAIL(problem.message());
  return info;
}

}  // namespace

TEST_CASE("families are known by architecture and name", "[runtime][sampling]") {
  CHECK(of_family("LlamaForCausalLM", "m Llama 3.2 1B Instruct") ==
        "Llama 3 Instruct: temperature 0.6, top_p 0.9");
  CHECK(of_family("LlamaForCausalLM", "Meta-Llama-3-8B-Instruct.Q8_0") ==
        "Llama 3 Instruct: temperature 0.6, top_p 0.9");
  CHECK(of_family("Qwen2ForCausalLM", "qwen2.5-7b-instruct") ==
        "Qwen2 Instruct: temperature 0.7, top_p 0.8, top_k 20, repetition_penalty 1.05");
  CHECK(of_family("Qwen2ForCausalLM", "Qwen2.5 0.5B Instruct") ==
        "Qwen2 Instruct: temperature 0.7, top_p 0.8, top_k 20, repetition_penalty 1.1");
  CHECK(of_family("Qwen3ForCausalLM", "Qwen3-4B") ==
        "Qwen3: temperature 0.6, top_p 0.95, top_k 20");
  CHECK(of_family("Qwen3ForCausalLM", "Qwen3-4B-Instruct-2507") ==
        "Qwen3 Instruct: temperature 0.7, top_p 0.8, top_k 20");
  CHECK(of_family("Gemma3ForCausalLM", "gemma-3-1b-it") ==
        "Gemma 3: temperature 1, top_p 0.95, top_k 64");
  CHECK(of_family("LlamaForCausalLM", "Smollm2 135M 8k Lc100K Mix1 Ep2") ==
        "SmolLM2 Instruct: temperature 0.2, top_p 0.9");
  CHECK(of_family("LlamaForCausalLM", "DeepSeek-R1-Distill-Llama-8B") ==
        "DeepSeek R1 Distill: temperature 0.6, top_p 0.95");
}

TEST_CASE("base models, other architectures and other names have no family",
          "[runtime][sampling]") {
  CHECK(of_family("LlamaForCausalLM", "Llama-3.2-1B-Instruct", false) == "none");
  CHECK(of_family("Qwen3ForCausalLM", "Qwen3-4B-Base") == "none");
  CHECK(of_family("Qwen3ForCausalLM", "qwen3 database expert") ==
        "Qwen3: temperature 0.6, top_p 0.95, top_k 20");
  CHECK(of_family("MistralForCausalLM", "Llama-3.2-1B-Instruct") == "none");
  CHECK(of_family("LlamaForCausalLM", "Llama-3.2-1B") == "none");
  CHECK(of_family("LlamaForCausalLM", "tern-stories") == "none");
  CHECK(of_family("LlamaForCausalLM", "") == "none");
}

TEST_CASE("each field comes from the configuration, else the files, else the family",
          "[runtime][sampling]") {
  const Copy silent("smollm2-silent", R"({"eos_token_id": 2})");
  EngineConfig of_family;
  of_family.model_dir = silent.path;
  CHECK(describe(info_of(of_family).default_sampling) == "temperature 0.2, top_p 0.9");
  // Files that speak of sampling speak of all of it: what they leave out is neutral.
  const Copy copy("smollm2-test", R"({"top_p": 0.5, "repetition_penalty": 1.05})");
  EngineConfig config;
  config.model_dir = copy.path;
  CHECK(describe(info_of(config).default_sampling) == "top_p 0.5, repetition_penalty 1.05");
  config.sampling.top_p = 0.25f;
  config.sampling.max_tokens = 40;
  CHECK(describe(info_of(config).default_sampling) ==
        "top_p 0.25, repetition_penalty 1.05, max_tokens 40");
  const Copy plain("plain", "");
  EngineConfig neutral;
  neutral.model_dir = plain.path;
  CHECK(describe(info_of(neutral).default_sampling) == "neutral");
}

TEST_CASE("a model is served under its folder's name, its file's stem, or the given name",
          "[runtime][sampling]") {
  const test::TempDir dir;
  EngineConfig config;
  config.max_model_len = 64;
  config.model_dir = dir.write("my-model.Q8_0.gguf", test::random_llama_gguf(test::kQ8_0));
  CHECK(info_of(config).name == "my-model.Q8_0");
  config.served_name = "mine";
  CHECK(info_of(config).name == "mine");
  const Copy copy("folder", "");
  EngineConfig directory;
  directory.model_dir = copy.path + "/";
  CHECK(info_of(directory).name == "folder");
}

TEST_CASE("a check names what a start would fail at, all of it", "[runtime][check]") {
  const Copy copy("broken", "");
  copy.dir.write("broken/tokenizer.json", "{");
  copy.dir.write("broken/model.safetensors",
                 "version https://git-lfs.github.com/spec/v1\nsize 9\n");
  EngineConfig config;
  config.model_dir = copy.path;
  ModelInfo info;
  const std::vector<Status> problems = check_engine(config, &info);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].message().find("tokenizer.json") != std::string::npos);
  CHECK(problems[1].message().find("git lfs pull") != std::string::npos);

  const Copy whole("whole", "");
  config.model_dir = whole.path;
  config.kv_cache_bytes = uint64_t(1) << 50;
  const std::vector<Status> too_much = check_engine(config, &info);
  REQUIRE(too_much.size() == 1);
  CHECK(too_much[0].message().find("does not fit into memory") != std::string::npos);
  config.model_dir = "nobody";
  CHECK(check_engine(config, &info).size() == 1);
  config.simulate = true;
  CHECK(check_engine(config, &info).empty());
}
