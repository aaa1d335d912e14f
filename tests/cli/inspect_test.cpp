#include "cli/files/inspect.h"
#include "tests/support/source_dir.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace tern;

TEST_CASE("inspect counts what the card says", "[inspect]") {
  const auto r = inspect_model(source_path("models/tern-stories"));
  REQUIRE(r.ok());
  CHECK((*r)["architecture"] == "LlamaForCausalLM");
  CHECK((*r)["parameters"] == 5246208);
  CHECK((*r)["bytes"] == 2 * 5246208);
  CHECK((*r)["bytes_by_format"]["bf16"] == 2 * 5246208);
  CHECK((*r)["kv_bytes_per_token"] == 2 * 4 * 6 * 2 * 64);
  CHECK((*r)["context"] == 1024);
  CHECK((*r)["chat_template"] == true);
  CHECK((*r)["tensors"].size() == 6 * 9 + 2);
  const auto bare = inspect_model(source_path("tests/data/golden/qwen3"));
  REQUIRE(bare.ok());
  CHECK((*bare)["tokenizer"] == false);
  CHECK(inspect_model("no-such-model").status().code() == Code::kNotFound);
}
