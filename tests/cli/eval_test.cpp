// `tern eval` on golden files and on the bundled model.
#include "cli/eval/eval.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/cpu_info.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using nlohmann::json;

namespace {

void ignore_progress(double) {}

json card() {
  std::ifstream file(source_path("models/tern-stories/card.json"));
  return json::parse(file);
}

}  // namespace

TEST_CASE("eval logits reports how far a model is from its golden file", "[eval]") {
  const std::string dir = source_path("tests/data/golden/llama");
  EvalLogitsOptions options;
  options.common = {.model = dir, .compute = "f32"};
  options.golden = dir + "/golden.safetensors";
  options.hf_config = dir + "/config.old.json";
  const Result<json> result = eval_logits(options, ignore_progress);
  CAPTURE(result.status().message());
  REQUIRE(result.ok());
  CHECK((*result)["max_abs_diff"].get<double>() <= 2e-4);
  CHECK((*result)["mean_kl"].get<double>() < 1e-6);
  CHECK((*result)["top1_match"] == 1.0);
  CHECK((*result)["greedy_match"] == 1.0);
  CHECK((*result)["positions"] == 108);
  const std::string isa = (*result)["isa"];
  CHECK(isa == isa_name(*selected_isa()));
  bool has_gemm = false;
  for (const json& kernel : (*result)["kernels"])
    has_gemm |= kernel.get<std::string>().starts_with("gemm:");
  CHECK(has_gemm);
}

TEST_CASE("a wrong model does not pass the comparison", "[eval]") {
  EvalLogitsOptions options;
  options.common = {.model = source_path("tests/data/golden/llama")};
  options.golden = source_path("tests/data/golden/llama-linear-rope/golden.safetensors");
  const Result<json> result = eval_logits(options, ignore_progress);
  REQUIRE(result.ok());
  CHECK((*result)["max_abs_diff"].get<double>() > 0.1);
}

TEST_CASE("the bundled model's perplexity is its card's", "[eval]") {
  EvalPerplexityOptions options;
  options.common.model = source_path("models/tern-stories");
  options.text_file = source_path("models/tern-stories/eval.txt");
  options.context = 512;
  const Result<json> result = eval_perplexity(options, ignore_progress);
  CAPTURE(result.status().message());
  REQUIRE(result.ok());
  const json expected = card();
  CHECK((*result)["perplexity"].get<double>() ==
        Approx(expected["perplexity"].get<double>()).epsilon(1e-3));
  REQUIRE((*result)["windows"].size() == expected["windows"].size());
  for (size_t i = 0; i < expected["windows"].size(); ++i)
    CHECK((*result)["windows"][i].get<double>() ==
          Approx(expected["windows"][i].get<double>()).epsilon(1e-3));
}

TEST_CASE("the bundled model's skills are its card's", "[eval]") {
  EvalTasksOptions options;
  options.common.model = source_path("models/tern-stories");
  options.file = source_path("models/tern-stories/tasks.jsonl");
  const Result<json> result = eval_tasks(options, ignore_progress);
  CAPTURE(result.status().message());
  REQUIRE(result.ok());
  const json narrow = card()["narrow_items"];
  for (const json& index : (*result)["reference_mismatches"])
    CHECK(std::find(narrow.begin(), narrow.end(), index) != narrow.end());
  CHECK((*result)["all"].get<double>() ==
        Approx(card()["all"].get<double>()).margin(double(narrow.size()) / 400));
}

TEST_CASE("eval names what is wrong with its input", "[eval]") {
  EvalPerplexityOptions perplexity;
  perplexity.common.model = source_path("models/tern-stories");
  CHECK(eval_perplexity(perplexity, ignore_progress).status().message().find("--text") !=
        std::string::npos);
  perplexity.text_file = "/nonexistent.txt";
  CHECK(eval_perplexity(perplexity, ignore_progress).status().code() == Code::kNotFound);
  perplexity.text_file = source_path("README.md");
  perplexity.context = 5000;
  CHECK(eval_perplexity(perplexity, ignore_progress).status().message().find("--context 5000") !=
        std::string::npos);
  EvalLogitsOptions logits;
  logits.common.model = "no-such-model";
  CHECK(eval_logits(logits, ignore_progress).status().code() == Code::kNotFound);
}

TEST_CASE("line ends and characters count as text readers count them", "[eval]") {
  const test::TempDir dir;
  std::string plain, dos;
  for (int i = 0; i < 40; ++i) {
    plain += "Once upon a time\nthere was a caf\u00e9.\n";
    dos += i % 2 ? "Once upon a time\r\nthere was a caf\u00e9.\r\n"
                 : "Once upon a time\rthere was a caf\u00e9.\r";
  }
  const auto perplexity = [&](const std::string& text, int64_t limit_chars) {
    EvalPerplexityOptions options;
    options.common.model = source_path("models/tern-stories");
    options.text_file = dir.write("text.txt", text);
    options.context = 64;
    options.limit_chars = limit_chars;
    const Result<json> result = eval_perplexity(options, ignore_progress);
    REQUIRE(result.ok());
    return (*result)["windows"];
  };
  CHECK(perplexity(dos, 0) == perplexity(plain, 0));
  const std::string line = "Once upon a time\nthere was a caf\u00e9.\n";  // 35 characters
  CHECK(perplexity(dos, 20 * 35) == perplexity(plain.substr(0, 20 * line.size()), 0));
}
