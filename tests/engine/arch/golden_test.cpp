// Every architecture against the reference implementation: logits of each position, and greedy
// answers through the engine.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/cpu_info.h"
#include "base/unaligned.h"
#include "engine/io/safetensors.h"
#include "engine/serve/generate_all.h"
#include "engine/step/score.h"
#include "tests/support/source_dir.h"

using namespace tern;

namespace {

constexpr double kMaxDifference = 2e-4;  // both sides compute in f32
constexpr int32_t kChunk = 7;            // so that prompts are prefilled in several steps

// Sets TERN_CPU_ISA for a scope.
struct WithIsa {
  explicit WithIsa(Isa isa) { setenv("TERN_CPU_ISA", std::string(isa_name(isa)).c_str(), 1); }
  ~WithIsa() { unsetenv("TERN_CPU_ISA"); }
};

struct GoldenPrompt {
  std::vector<int32_t> input_ids, greedy;
  std::span<const float> logits;  // [input_ids, vocab_size], in the file
};

std::vector<int32_t> ids_of(const TensorView* tensor) {
  REQUIRE(tensor != nullptr);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tensor->shape[0]; ++i)
    ids.push_back(static_cast<int32_t>(load_unaligned<int64_t>(tensor->data, i)));
  return ids;
}

std::vector<GoldenPrompt> read_golden(const SafetensorsFile& file, int32_t vocab_size) {
  std::vector<GoldenPrompt> prompts;
  for (int i = 0;; ++i) {
    const std::string prefix = "prompt." + std::to_string(i) + ".";
    if (file.find(prefix + "input_ids") == nullptr) return prompts;
    GoldenPrompt& p = prompts.emplace_back();
    p.input_ids = ids_of(file.find(prefix + "input_ids"));
    p.greedy = ids_of(file.find(prefix + "greedy"));
    const TensorView* logits = file.find(prefix + "logits");
    REQUIRE(logits != nullptr);
    REQUIRE(logits->dtype == DType::kF32);
    REQUIRE(logits->num_elements() == int64_t(p.input_ids.size()) * vocab_size);
    p.logits = {reinterpret_cast<const float*>(logits->data), size_t(logits->num_elements())};
  }
}

/// The largest difference of any logit; the number of positions compared goes to `positions`.
double compare_logits(const std::vector<GoldenPrompt>& prompts, Scorer& scorer, int* positions) {
  double largest = 0;
  for (const GoldenPrompt& p : prompts) {
    const Status status =
        scorer.run(p.input_ids, [&](int32_t position, std::span<const float> logits) {
          for (size_t i = 0; i < logits.size(); ++i) {
            const double golden = load_unaligned<float>(
                reinterpret_cast<const std::byte*>(p.logits.data()), position * logits.size() + i);
            const double difference = std::abs(golden - logits[i]);
            if (!(difference <= largest)) largest = difference;  // a NaN must show
          }
          ++*positions;
        });
    REQUIRE(status.ok());
  }
  return largest;
}

void check_greedy(const std::vector<GoldenPrompt>& prompts, const EngineConfig& config) {
  std::vector<Request> requests;
  for (const GoldenPrompt& p : prompts) {
    Request& r = requests.emplace_back();
    r.prompt_token_ids = p.input_ids;
    r.sampling.temperature = 0;
    r.sampling.max_tokens = static_cast<int32_t>(p.greedy.size());
    r.sampling.ignore_eos = true;
  }
  const auto engine = create_engine(config, {});
  REQUIRE(engine.ok());
  const auto answers = generate_all(**engine, std::move(requests), {});
  REQUIRE(answers.ok());
  for (size_t i = 0; i < prompts.size(); ++i) CHECK((*answers)[i].token_ids == prompts[i].greedy);
}

void check_golden(const std::string& dir, const std::string& config_file, Isa isa) {
  const auto config = read_config(dir, config_file);
  REQUIRE(config.ok());
  const auto file = SafetensorsFile::open(dir + "/golden.safetensors");
  REQUIRE(file.ok());
  const std::vector<GoldenPrompt> prompts = read_golden(*file, config->vocab_size);
  int32_t longest = 0;
  for (const GoldenPrompt& p : prompts)
    longest = std::max(longest, static_cast<int32_t>(p.input_ids.size()));

  KernelLog log;
  {
    auto scorer = Scorer::load(dir, *config, {.compute = "f32", .isa = isa},
                               {.max_len = longest, .chunk = kChunk, .log = &log});
    REQUIRE(scorer.ok());
    int positions = 0;
    CHECK(compare_logits(prompts, **scorer, &positions) <= kMaxDifference);
    CHECK(positions == 108);
  }
  // Later extensions of AVX-512 bring no kernels for f32 activations.
  const Isa kernel_isa = isa == Isa::kNeon ? isa : std::min(isa, Isa::kAvx512);
  bool gemm_of_isa = false;
  for (const auto& [key, entry] : log.entries())
    gemm_of_isa |=
        key.first == "gemm" && key.second.find(isa_name(kernel_isa)) != std::string::npos;
  CHECK(gemm_of_isa);

  EngineConfig engine;
  engine.model_dir = dir;
  engine.hf_config_file = config_file;
  engine.compute = "f32";
  engine.scheduler.max_num_batched_tokens = kChunk;
  engine.scheduler.max_num_seqs = kChunk;
  check_greedy(prompts, engine);
}

}  // namespace

TEST_CASE("logits equal the reference implementation's on every instruction set", "[arch][EC-15]") {
  int num_models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("tests/data/golden"))) {
    ++num_models;
    for (const std::string config : {"config.json", "config.old.json"}) {
      for (const Isa isa : runnable_isas()) {
        const WithIsa with(isa);
        const std::string dir = entry.path().string();
        CAPTURE(dir, config, isa_name(isa));
        check_golden(dir, dir + "/" + config, isa);
      }
    }
  }
  CHECK(num_models >= 16);
}
