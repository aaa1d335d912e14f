#include "engine/model/model_config.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/io/checkpoint.h"
#include "tests/support/source_dir.h"

using namespace tern;
using nlohmann::json;

namespace {

const std::string kGolden = source_path("tests/data/golden/");

json valid() {
  return *read_json_file(kGolden + "llama/config.json");
}

std::string failure(const json& config) {
  const Result<ModelConfig> parsed = parse_model_config(config, "c.json");
  REQUIRE(!parsed.ok());
  return parsed.status().message();
}

}  // namespace

TEST_CASE("both styles of config.json say the same", "[model][config]") {
  for (const auto& entry : std::filesystem::directory_iterator(kGolden)) {
    CAPTURE(entry.path().string());
    const auto now = read_model_config(entry.path().string() + "/config.json");
    const auto old = read_model_config(entry.path().string() + "/config.old.json");
    REQUIRE(now.ok());
    REQUIRE(old.ok());
    CHECK(now->rope.type == old->rope.type);
    CHECK(now->rope.theta == old->rope.theta);
    CHECK(now->rope.factor == old->rope.factor);
    CHECK(now->rope.original_max_position_embeddings == old->rope.original_max_position_embeddings);
    CHECK(now->rope.short_factor == old->rope.short_factor);
    CHECK(now->rope.long_factor == old->rope.long_factor);
    CHECK(now->rope.partial_rotary_factor == old->rope.partial_rotary_factor);
    REQUIRE(now->local_rope.has_value() == old->local_rope.has_value());
    if (now->local_rope) {
      CHECK(now->local_rope->type == old->local_rope->type);
      CHECK(now->local_rope->theta == old->local_rope->theta);
    }
    CHECK(now->head_dim == old->head_dim);
    CHECK(now->eos_token_ids == std::vector<int32_t>{2});
    CHECK(now->bos_token_id == 1);
  }
}

TEST_CASE("a wrong key is named with file, value and limit", "[model][config]") {
  json c = valid();
  c["hidden_size"] = -64;
  CHECK(failure(c).find("hidden_size: must be an integer from 1") != std::string::npos);
  c["hidden_size"] = "64";
  CHECK(failure(c).find("is \"64\"") != std::string::npos);
  c["hidden_size"] = 18446744073709551615u;
  CHECK(failure(c).find("hidden_size") != std::string::npos);
  c = valid();
  c["num_key_value_heads"] = 3;
  CHECK(failure(c).find("does not divide") != std::string::npos);
  c = valid();
  c["head_dim"] = 15;
  CHECK(failure(c).find("must be even") != std::string::npos);
  c = valid();
  c["rope_parameters"] = {{"rope_type", "spiral"}};
  CHECK(failure(c).find("'spiral' is not supported") != std::string::npos);
  c["rope_parameters"] = {{"rope_type", "llama3"}, {"factor", 8.0}};
  CHECK(failure(c).find("low_freq_factor: is missing") != std::string::npos);
  c = valid();
  c["quantization_config"] = {{"quant_method", "gptq"}};
  CHECK(failure(c).find("quantization_config") != std::string::npos);
  CHECK(failure(json::array()).find("must be a JSON object") != std::string::npos);
}

TEST_CASE("ids that the vocabulary lacks are passed over", "[model][config]") {
  using Ids = std::vector<int32_t>;
  const std::pair<json, Ids> cases[] = {
      {-1, {}},      {999999, {}}, {{1, 999999}, {1}}, {{2, 320, 319}, {2, 319}},
      {"2", {}},     {1e30, {}},   {2.0, {2}},         {18446744073709551615u, {}},
      {nullptr, {}}, {2.5, {}},    {{true, 3}, {3}},   {json::object(), {}}};
  for (const auto& [value, ids] : cases) {
    CAPTURE(value.dump());
    json c = valid();
    c["eos_token_id"] = value;
    c["bos_token_id"] = value;
    const Result<ModelConfig> parsed = parse_model_config(c, "c.json");
    REQUIRE(parsed.ok());
    CHECK(parsed->eos_token_ids == ids);
    CHECK(parsed->bos_token_id ==
          (ids.empty() ? std::nullopt : std::optional<int32_t>(ids.front())));
  }
}

TEST_CASE("rope parameters may be those of each layer type", "[model][config]") {
  json c = valid();
  c["rope_parameters"] = {
      {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}}},
      {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 500.0}}}};
  const auto parsed = parse_model_config(c, "c.json");
  REQUIRE(parsed.ok());
  CHECK(parsed->rope.type == RopeType::kLinear);
  CHECK(parsed->rope.theta == 1e6);
  REQUIRE(parsed->local_rope.has_value());
  CHECK(parsed->local_rope->type == RopeType::kDefault);
  CHECK(parsed->local_rope->theta == 500);
  c["rope_parameters"]["sliding_attention"]["rope_type"] = "spiral";
  CHECK(failure(c).find("c.json: rope_parameters: sliding_attention: rope_type") == 0);
}

TEST_CASE("longrope needs a factor for every frequency", "[model][config]") {
  json c = *read_json_file(kGolden + "phi3-longrope-partial/config.json");
  const auto parsed = parse_model_config(c, "c.json");
  REQUIRE(parsed.ok());
  CHECK(parsed->rope.type == RopeType::kLongrope);
  CHECK(parsed->rope.factor == 8);
  CHECK(parsed->rope.original_max_position_embeddings == 64);
  json& rope = c["rope_parameters"];
  rope["rope_type"] = "su";
  CHECK(parse_model_config(c, "c.json")->rope.type == RopeType::kLongrope);
  rope["long_factor"].push_back(9.0);
  CHECK(failure(c) == "c.json: long_factor: must have one number for each of 6 frequencies, has 7");
  rope["long_factor"] = json::array({1, 2, 3, 4, 5, 0});
  CHECK(failure(c).find("long_factor: must hold numbers from") != std::string::npos);
  rope["long_factor"] = 8.0;
  CHECK(failure(c).find("long_factor: must be an array, is 8.0") != std::string::npos);
  rope.erase("long_factor");
  CHECK(failure(c) == "c.json: rope_parameters: long_factor: is missing");
}
