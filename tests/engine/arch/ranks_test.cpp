// Models that several ranks share: every block's parts, computed apart and summed, are the whole.
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/cpu_info.h"
#include "base/rng.h"
#include "engine/arch/registry.h"
#include "engine/io/checkpoint.h"
#include "engine/load/loader.h"
#include "engine/step/build_batch.h"
#include "kernels/registry.h"
#include "tests/support/random_gguf.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;

namespace {

constexpr int32_t kNumTokens = 23, kFirstChunk = 14, kBlockSize = 16;

Exec exec() {
  return {.isa = *selected_isa()};
}

Result<std::shared_ptr<const Model>> load(const std::string& path, const ModelConfig& config,
                                          const Rank& rank, LoadOptions options = {}) {
  options.max_model_len = 32;
  options.compute = Compute::kF32;
  options.ex = exec();
  options.rank = rank;
  TERN_ASSIGN(auto weights, open_weights(path));
  TERN_ASSIGN(std::shared_ptr<const Model> model, load_model(config, std::move(weights), options));
  return model;
}

std::string golden(const std::string& name) {
  return source_path("tests/data/golden/" + name);
}

std::string failure(const std::string& name, const std::function<void(nlohmann::json&)>& change,
                    const Rank& rank) {
  nlohmann::json json = *read_json_file(golden(name) + "/config.json");
  change(json);
  const Result<ModelConfig> config = parse_model_config(json, "c.json");
  REQUIRE(config.ok());
  const auto model = load(golden(name), *config, rank);
  REQUIRE(!model.ok());
  return model.status().message();
}

/// A whole model, or a part of one, with the memory of its keys and values.
struct Part {
  explicit Part(std::shared_ptr<const Model> loaded)
      : model(std::move(loaded)),
        kv(*KvCache::create(model->cache_layout(), choose_kv_format(exec()), 2, kBlockSize)),
        states(*StateCache::create(model->cache_layout(), 0)),
        ws(*Buffer::allocate(size_t(8) << 20)) {
    model->for_each_block([this](const Block& block) { blocks.push_back(&block); });
  }

  std::shared_ptr<const Model> model;
  KvCache kv;
  StateCache states;
  Workspace ws;
  std::vector<const Block*> blocks;
};

/// Keeps what the last linear layer of a block reads: what it multiplies is what ranks sum.
class LastInput final : public LinearTap {
 public:
  explicit LastInput(const Block& block) {
    block.for_each_linear([this](const Linear& l) { last = &l; });
  }
  void on_input(const Linear& layer, MatView<const float> x) override {
    if (&layer != last) return;
    rows.clear();
    for (int64_t r = 0; r < x.rows; ++r) rows.emplace_back(x.row(r), x.row(r) + x.cols);
  }

  const Linear* last = nullptr;
  std::vector<std::vector<float>> rows;
};

struct Computed {
  std::vector<float> y;  // [tokens, hidden]
  std::vector<std::vector<float>> last_input;
};

/// Rows [first, end) of a prompt through one block.
Computed run(Part& part, size_t block, int32_t first, int32_t end, const std::vector<float>& x) {
  Sequence seq;
  seq.token_ids.assign(kNumTokens, 0);
  seq.num_computed_tokens = first;
  seq.block_table = {1, 0};
  StepPlan plan;
  plan.sequences = {{&seq, end - first, 0, 0}};
  SchedulerConfig config;
  config.max_model_len = 2 * kBlockSize;
  BatchBuilder builder(config);
  const StepBatch batch = builder.build(plan);
  const Exec ex = exec();
  LastInput tap(*part.blocks[block]);
  Step step{
      .batch = batch, .kv = part.kv, .states = part.states, .ws = part.ws, .ex = ex, .tap = &tap};
  Computed out;
  const int64_t hidden = int64_t(x.size()) / kNumTokens;
  out.y.assign(x.begin() + first * hidden, x.begin() + end * hidden);
  part.blocks[block]->forward(step, {out.y.data(), end - first, hidden, hidden});
  out.last_input = std::move(tap.rows);
  return out;
}

std::vector<float> random_rows(size_t size, uint64_t seed) {
  std::vector<float> x(size);
  for (size_t i = 0; i < size; ++i)
    x[i] = float(int(random_bits(seed, RngStream::kTest, i) % 2001) - 1000) / 500;
  return x;
}

/// What the whole block's last layer multiplies, in columns, is what the parts' do, to the bit:
/// heads and columns of an MLP are computed apart. Their sums differ by rounding alone: a chain of
/// K products and sums is off by at most K units of rounding of the sum of their sizes (Higham,
/// Accuracy and Stability of Numerical Algorithms, 3.5), and this holds for both sides.
void check_sum(const Computed& whole, const std::vector<Computed>& parts, const Linear& last) {
  std::vector<float> weights(last.weight.cols);
  const int64_t hidden = last.weight.rows;
  for (size_t t = 0; t < whole.last_input.size(); ++t) {
    std::vector<float> inputs;
    for (const Computed& part : parts)
      inputs.insert(inputs.end(), part.last_input[t].begin(), part.last_input[t].end());
    REQUIRE(inputs == whole.last_input[t]);
    for (int64_t row = 0; row < hidden; ++row) {
      last.weight.format.packing->unpack_row(last.weight, row, weights.data());
      double sizes = last.bias.size() > 0 ? std::abs(last.bias.as<float>()[row]) : 0;
      for (size_t k = 0; k < inputs.size(); ++k) sizes += std::abs(double(weights[k]) * inputs[k]);
      double sum = 0;
      for (const Computed& part : parts) sum += part.y[t * size_t(hidden) + size_t(row)];
      const double bound = 2 * double(inputs.size() + 1) * 0x1p-24 * sizes;
      CHECK(std::abs(sum - whole.y[t * size_t(hidden) + size_t(row)]) <= bound);
    }
  }
}

void check_ranks(const std::string& path, int32_t num_ranks) {
  const Result<ModelConfig> config = read_config(path);
  REQUIRE(config.ok());
  Part whole(*load(path, *config, {}));
  std::vector<std::unique_ptr<Part>> parts;
  for (int32_t r = 0; r < num_ranks; ++r) {
    const auto model = load(path, *config, {r, num_ranks});
    INFO(model.status().message());
    REQUIRE(model.ok());
    parts.push_back(std::make_unique<Part>(*model));
    REQUIRE(parts.back()->blocks.size() == whole.blocks.size());
    CHECK(parts.back()->kv.bytes() * size_t(num_ranks) == whole.kv.bytes());
    CHECK((*model)->num_parameters() == whole.model->num_parameters());
  }
  const std::vector<float> x = random_rows(size_t(kNumTokens) * size_t(config->hidden), 7);
  for (size_t b = 0; b < whole.blocks.size(); ++b) {
    CAPTURE(b);
    const Linear* last = nullptr;
    whole.blocks[b]->for_each_linear([&](const Linear& l) { last = &l; });
    // The second chunk reads the keys and values of the first.
    for (const auto& [first, end] : {std::pair(0, kFirstChunk), {kFirstChunk, kNumTokens}}) {
      std::vector<Computed> computed;
      for (const auto& part : parts) computed.push_back(run(*part, b, first, end, x));
      check_sum(run(whole, b, first, end, x), computed, *last);
    }
  }
}

}  // namespace

TEST_CASE("what ranks compute apart sums up to the whole, in every architecture",
          "[arch][ranks][EC-55]") {
  int num_models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden(""))) {
    const std::string name = entry.path().filename().string();
    if (name == "olmo2") continue;  // refused: see below
    CAPTURE(name);
    check_ranks(entry.path().string(), 2);
    ++num_models;
  }
  CHECK(num_models >= 15);
  check_ranks(golden("llama-mha-bias-tied"), 4);
}

TEST_CASE("a rank reads and plans its part alone", "[arch][ranks][EC-55]") {
  const std::string path = golden("qwen2");
  const ModelConfig config = *read_config(path);
  const auto whole = *load(path, config, {});
  for (int32_t r = 0; r < 2; ++r) {
    uint64_t done = 0, total = 1;
    const auto loaded =
        *load(path, config, {r, 2},
              {.on_progress = [&](uint64_t d, uint64_t t) { done = d, total = t; }});
    CHECK(done == total);
    const auto planned = *load(path, config, {r, 2}, {.plan_only = true});
    CHECK(planned->weight_bytes() == loaded->weight_bytes());
    CHECK(loaded->weight_bytes() < whole->weight_bytes());
    const StepLimits limits{.max_tokens = 8, .max_logits_rows = 2, .max_context_len = 32};
    CHECK(workspace_bytes(*planned, limits, exec()) <= workspace_bytes(*whole, limits, exec()));
  }
}

TEST_CASE("what ranks cannot divide is refused by its name", "[arch][ranks][EC-55]") {
  const auto as_it_is = [](nlohmann::json&) {};
  CHECK(failure("llama", as_it_is, {0, 3}) ==
        "c.json: num_attention_heads: 4 cannot be divided over 3 ranks");
  CHECK(failure("llama", as_it_is, {0, 4}) ==
        "c.json: num_key_value_heads: 2 cannot be divided over 4 ranks");
  CHECK(failure("llama", [](nlohmann::json& c) { c["intermediate_size"] = 97; }, {0, 2}) ==
        "c.json: intermediate_size: 97 cannot be divided over 2 ranks");
  CHECK(failure("llama", as_it_is, {2, 2}) == "rank 2 is none of 2 ranks");
  CHECK(failure("olmo2", as_it_is, {0, 2}) ==
        "c.json: Olmo2ForCausalLM norms all heads of a token as one, which 2 ranks cannot do "
        "apart");

  const test::TempDir dir;
  const std::string path = dir.write("q8.gguf", test::random_llama_gguf(test::kQ8_0));
  const auto model = load(path, *read_config(path), {0, 2});
  REQUIRE(!model.ok());
  CHECK(model.status().message() ==
        "model.layers.0.self_attn.o_proj: 96 columns in groups of 32 cannot be divided over 2 "
        "ranks");
}
