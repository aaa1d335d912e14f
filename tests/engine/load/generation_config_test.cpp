// generation_config.json: what it proposes is taken as far as it can be, and never ends a start.
#include "engine/load/generation_config.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/support/temp_dir.h"

using namespace tern;

namespace {

struct Outcome {
  ModelInfo info;
  std::vector<std::string> warnings;  // without the path
};

Outcome read(const std::string& text) {
  CAPTURE(text);
  test::TempDir dir;
  const std::string path = dir.write("generation_config.json", text);
  Outcome out;
  out.info.vocab_size = 100;
  out.info.eos_token_ids = {2};
  out.warnings = read_generation_config(path, out.info);
  for (std::string& warning : out.warnings) {
    REQUIRE(warning.starts_with(path + ":"));
    warning.erase(0, path.size() + 1);
  }
  return out;
}

using Ids = std::vector<int32_t>;

}  // namespace

TEST_CASE("a model's proposals are taken", "[runtime][generation_config]") {
  const Outcome out = read(R"({"do_sample": true, "temperature": 0.6, "top_k": 20.0, "top_p": 0,
                               "min_p": null, "eos_token_id": [3, 4.0], "other": "x"})");
  CHECK(out.warnings.empty());
  CHECK(out.info.default_sampling.temperature == 0.6f);
  CHECK(out.info.default_sampling.top_k == 20);
  CHECK(out.info.default_sampling.top_p == 0.0f);
  CHECK_FALSE(out.info.default_sampling.min_p);
  CHECK(out.info.eos_token_ids == Ids{3, 4});
  const Outcome greedy = read(R"({"do_sample": false, "temperature": 9, "eos_token_id": 5})");
  CHECK(greedy.warnings.empty());
  CHECK(greedy.info.default_sampling.temperature == 0.0f);
  CHECK(greedy.info.eos_token_ids == Ids{5});
  const Outcome off = read(R"({"top_k": -1})");
  CHECK(off.warnings.empty());
  CHECK(off.info.default_sampling.top_k == 0);
  ModelInfo untouched;
  CHECK(read_generation_config("/nowhere/generation_config.json", untouched).empty());
}

TEST_CASE("what is out of range becomes the nearest, with a warning",
          "[runtime][generation_config]") {
  const auto warning = [](const std::string& text) {
    const Outcome out = read(text);
    REQUIRE(out.warnings.size() == 1);
    return out.warnings[0];
  };
  CHECK(warning(R"({"temperature": 5})") == " temperature: must be in [0.0, 2.0]; 5 becomes 2.0");
  CHECK(warning(R"({"temperature": -0.5})") ==
        " temperature: must be in [0.0, 2.0]; -0.5 becomes 0.0");
  CHECK(warning(R"({"top_p": 1.5})") == " top_p: must be in [0.0, 1.0]; 1.5 becomes 1.0");
  CHECK(warning(R"({"min_p": 1e300})") == " min_p: must be in [0.0, 1.0]; 1e+300 becomes 1.0");
  CHECK(warning(R"({"top_k": -7})") == " top_k: must be in [-1, 2147483647]; -7 becomes -1");
  CHECK(read(R"({"top_k": 1e30})").info.default_sampling.top_k == 2147483647);
  CHECK(read(R"({"top_k": -7})").info.default_sampling.top_k == 0);
  CHECK(read(R"({"temperature": 5})").info.default_sampling.temperature == 2.0f);
}

TEST_CASE("a link to nothing is told from no file", "[runtime][generation_config]") {
  test::TempDir dir;
  const std::string path = dir.path() + "/generation_config.json";
  std::filesystem::create_symlink("blobs/1", path);
  ModelInfo info;
  CHECK(read_generation_config(path, info) ==
        std::vector{path + ": is a link to blobs/1, which does not exist; the file is ignored"});
}

TEST_CASE("what cannot be used is ignored, with a warning", "[runtime][generation_config]") {
  const Outcome out = read(R"({"do_sample": "no", "temperature": "0.6", "top_k": 2.5, "top_p": [1],
                               "min_p": true, "eos_token_id": [1, 100, -1, "x", 1.5, true]})");
  CHECK(out.warnings.size() == 10);
  CHECK_FALSE(out.info.default_sampling.temperature);
  CHECK_FALSE(out.info.default_sampling.top_k);
  CHECK_FALSE(out.info.default_sampling.top_p);
  CHECK_FALSE(out.info.default_sampling.min_p);
  CHECK(out.info.eos_token_ids == Ids{1});
  CHECK(read(R"({"eos_token_id": 100})").info.eos_token_ids == Ids{2});  // config.json's
  const Outcome nan = read(R"({"top_p": NaN, "eos_token_id": 3, "top_k": 1, "top_k": 4})");
  CHECK(nan.warnings == std::vector<std::string>{" top_p: must be a number; \"NaN\" is ignored"});
  CHECK(nan.info.eos_token_ids == Ids{3});
  CHECK(nan.info.default_sampling.top_k == 4);
  for (const char* broken : {"", "{", "[1]", "null", R"({"top_p": 1e999})",
                             "version https://git-lfs.github.com/spec/v1\n"}) {
    const Outcome none = read(broken);
    REQUIRE(none.warnings.size() == 1);
    CHECK(none.warnings[0].ends_with("; the file is ignored"));
    CHECK(none.info.eos_token_ids == Ids{2});
  }
}
