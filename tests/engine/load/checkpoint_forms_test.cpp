// Checkpoints that other tools write in other forms compute what the plain ones do: data that is
// not aligned, and the text models of multimodal checkpoints.
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/cpu_info.h"
#include "engine/io/checkpoint.h"
#include "engine/io/mapped_file.h"
#include "engine/step/score.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using nlohmann::json;

namespace {

const std::string kGolden = source_path("tests/data/golden/");

/// A safetensors file in its two parts.
struct Parts {
  json header;
  std::string data;

  static Parts read(const std::string& path) {
    const std::string bytes = *read_text_file(path);
    uint64_t size = 0;
    std::memcpy(&size, bytes.data(), 8);
    return {json::parse(bytes.substr(8, size)), bytes.substr(8 + size)};
  }

  /// With a header of so many more bytes than it needs.
  std::string file(size_t spaces) const {
    const std::string text = header.dump() + std::string(spaces, ' ');
    const uint64_t size = text.size();
    return std::string(reinterpret_cast<const char*>(&size), 8) + text + data;
  }

  /// A tensor that nobody needs, behind the others.
  void add(const std::string& name) {
    const size_t begin = data.size();
    data += std::string(6, 'v');
    header[name] = {{"dtype", "F16"}, {"shape", {3}}, {"data_offsets", {begin, begin + 6}}};
  }
};

/// The logits of 40 tokens, all positions.
std::vector<float> logits(const std::string& directory, const std::string& compute = "f32") {
  const Result<ModelConfig> config = read_config(directory);
  INFO(config.status().message());
  REQUIRE(config.ok());
  const Result<LoadedModel> loaded =
      load_weights(directory, *config, 48, {compute, 1, cpu_info().best_isa}, {});
  INFO(loaded.status().message());
  REQUIRE(loaded.ok());
  const auto scorer = *Scorer::create(*loaded, {"f32", 1, cpu_info().best_isa}, {.max_len = 40});
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 40; ++i) tokens.push_back(3 + i * 37 % 300);
  std::vector<float> all;
  const Status status = scorer->run(tokens, [&](int32_t, std::span<const float> row) {
    all.insert(all.end(), row.begin(), row.end());
  });
  REQUIRE(status.ok());
  return all;
}

/// The text model of `model` as `wrapper` holds it: its tensors by other names, beside a vision
/// tower.
void write_multimodal(const test::TempDir& dir, const std::string& model, json wrapper,
                      const std::function<std::string(const std::string&)>& rename) {
  json text = *read_json_file(kGolden + model + "/config.json");
  text.erase("architectures");
  text.erase("tie_word_embeddings");
  wrapper["text_config"] = text;
  wrapper["vision_config"] = {{"hidden_size", 6}};
  dir.write("config.json", wrapper.dump());
  const Parts plain = Parts::read(kGolden + model + "/model.safetensors");
  Parts parts{json::object(), plain.data};
  for (const auto& [name, entry] : plain.header.items())
    parts.header[name == "__metadata__" ? name : rename(name)] = entry;
  for (const char* name : {"vision_tower.encoder.weight", "model.visual.blocks.0.weight",
                           "multi_modal_projector.mm_input_projection_weight"})
    parts.add(name);
  dir.write("model.safetensors", parts.file(0));
}

/// "model.layers.0…" behind `prefix`; the head as it is, or behind `head_prefix`.
std::function<std::string(const std::string&)> behind(const std::string& prefix,
                                                      const std::string& head_prefix = "") {
  return [=](const std::string& name) {
    return name.starts_with("model.") ? prefix + name.substr(6) : head_prefix + name;
  };
}

}  // namespace

TEST_CASE("unaligned tensors compute as aligned ones", "[runtime][forms]") {
  for (const std::string model : {"llama", "gemma3", "qwen2"}) {
    const Parts parts = Parts::read(kGolden + model + "/model.safetensors");
    for (const std::string compute : {"f32", "default", "fast"}) {
      const std::vector<float> expected = logits(kGolden + model, compute);
      for (const size_t spaces : {1, 2, 3, 5}) {
        CAPTURE(model, compute, spaces);
        const test::TempDir dir;
        std::filesystem::copy(kGolden + model + "/config.json", dir.path() + "/config.json");
        dir.write("model.safetensors", parts.file(spaces));
        CHECK(logits(dir.path(), compute) == expected);
      }
    }
  }
}

TEST_CASE("the text model of a multimodal checkpoint computes as by itself", "[runtime][forms]") {
  struct Case {
    std::string model, architecture, prefix, head_prefix;
  };
  const Case cases[] = {
      {"gemma3", "Gemma3ForConditionalGeneration", "language_model.model.", "language_model."},
      {"gemma3", "Gemma3ForConditionalGeneration", "model.language_model.", ""},
      {"mistral-window", "Mistral3ForConditionalGeneration", "language_model.model.",
       "language_model."},
      {"llama", "LlavaForConditionalGeneration", "model.language_model.", ""},
      {"llama-mha-bias-tied", "LlavaNextForConditionalGeneration", "language_model.model.",
       "language_model."},
      {"granite", "LlavaNextForConditionalGeneration", "model.language_model.", ""},
      {"llama", "SmolVLMForConditionalGeneration", "model.text_model.", ""},
      {"qwen2", "Qwen2_5_VLForConditionalGeneration", "model.", ""},
      {"qwen3", "Qwen3VLForConditionalGeneration", "model.language_model.", ""},
      {"qwen2", "InternVLForConditionalGeneration", "language_model.model.", "language_model."},
  };
  for (const Case& c : cases) {
    CAPTURE(c.model, c.architecture, c.prefix);
    const test::TempDir dir;
    write_multimodal(dir, c.model, {{"architectures", {c.architecture}}},
                     behind(c.prefix, c.head_prefix));
    CHECK(logits(dir.path()) == logits(kGolden + c.model));
  }
}

TEST_CASE("a head of other values than the embedding is not tied to it", "[runtime][forms]") {
  const std::string name = "model.embed_tokens.weight";
  for (const std::string model : {"gemma3", "llama-mha-bias-tied"}) {
    const Parts tied = Parts::read(kGolden + model + "/model.safetensors");
    REQUIRE(!tied.header.contains("lm_head.weight"));
    const auto [begin, end] = tied.header[name]["data_offsets"].get<std::pair<size_t, size_t>>();
    const std::string embedding = tied.data.substr(begin, end - begin);
    json config = *read_json_file(kGolden + model + "/config.json");
    const auto logits_with = [&](bool says_tied, const std::string& head) {
      Parts parts = tied;
      parts.header["lm_head.weight"] = tied.header[name];
      parts.header["lm_head.weight"]["data_offsets"] = {parts.data.size(),
                                                        parts.data.size() + head.size()};
      parts.data += head;
      config["tie_word_embeddings"] = says_tied;
      const test::TempDir dir;
      dir.write("config.json", config.dump());
      dir.write("model.safetensors", parts.file(0));
      return logits(dir.path());
    };
    CAPTURE(model);
    CHECK(logits_with(true, embedding) == logits(kGolden + model));
    std::string other = embedding;
    std::swap_ranges(other.end() - 8, other.end(), other.begin());
    REQUIRE(other != embedding);
    CHECK(logits_with(true, other) == logits_with(false, other));
    CHECK(logits_with(true, other) != logits(kGolden + model));
  }
}

TEST_CASE("tensors of the text model that its architecture lacks are named", "[runtime][forms]") {
  const test::TempDir dir;
  write_multimodal(dir, "llama", {{"architectures", {"LlavaForConditionalGeneration"}}},
                   behind("model.language_model."));
  Parts parts = Parts::read(dir.path() + "/model.safetensors");
  parts.add("model.language_model.layers.0.self_attn.gate.weight");
  dir.write("model.safetensors", parts.file(0));
  const auto loaded = load_weights(dir.path(), *read_config(dir.path()), 48, {}, {});
  REQUIRE(!loaded.ok());
  CHECK(loaded.status().message().find("model.layers.0.self_attn.gate.weight") !=
        std::string::npos);
}
