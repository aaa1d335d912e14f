// What an engine says that it will take, against what it takes.
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "base/rng.h"
#include "engine/model/weight_loader.h"
#include "engine/serve/create.h"
#include "engine/step/memory_plan.h"
#include "kernels/registry.h"
#include "tests/support/source_dir.h"

using namespace tern;

namespace {

constexpr uint64_t kMiB = 1 << 20;
const std::string kTied = source_path("models/tern-stories");
const std::string kUntied = source_path("tests/data/golden/llama");

std::shared_ptr<const Model> load(const std::string& directory, bool plan_only) {
  const Result<ModelConfig> config = read_config(directory);
  REQUIRE(config.ok());
  auto model = load_model(*config, *open_weights(directory),
                          {.max_model_len = 64,
                           .ex = {.device = Device::kCpu, .isa = *selected_isa()},
                           .plan_only = plan_only});
  INFO(model.status().message());
  REQUIRE(model.ok());
  return *std::move(model);
}

RunnerOptions options(int32_t num_blocks, int64_t max_tokens) {
  return {.isa = *selected_isa(),
          .limits = {.max_tokens = max_tokens,
                     .max_logits_rows = 4,
                     .max_context_len = 64,
                     .num_threads = 2},
          .num_blocks = num_blocks,
          .block_size = 16};
}

MemoryInfo machine(uint64_t bytes) {
  return {.machine_bytes = bytes};
}

uint64_t number_between(const std::string& text, const std::string& before,
                        const std::string& after) {
  const size_t at = text.find(before);
  REQUIRE(at != std::string::npos);
  size_t digits = 0;
  const uint64_t number = std::stoull(text.substr(at + before.size()), &digits);
  CHECK(text.compare(at + before.size() + digits, after.size(), after) == 0);
  return number;
}

EngineConfig config_of(const std::string& directory) {
  EngineConfig config;
  config.model_dir = directory;
  config.num_threads = 1;
  config.max_model_len = 64;
  return config;
}

}  // namespace

TEST_CASE("a model that is only planned has the sizes of the loaded one", "[memory]") {
  for (const char* name : {"gemma3", "granite", "llama", "llama-mha-bias-tied", "olmo2", "phi3",
                           "phi3-longrope-partial", "qwen2", "qwen3", "smollm3-nope"}) {
    CAPTURE(name);
    const std::string directory = source_path("tests/data/golden/") + name;
    const auto planned = load(directory, true), loaded = load(directory, false);
    CHECK(planned->weight_bytes() == loaded->weight_bytes());
    CHECK(planned->file_bytes() == loaded->file_bytes());
    CHECK(planned->num_parameters() == loaded->num_parameters());
    const KvFormat& format = choose_kv_format({});
    CHECK(KvCache::bytes(planned->cache_layout(), format, 1, 16) ==
          KvCache::bytes(loaded->cache_layout(), format, 1, 16));
    CHECK(ForwardRunner::workspace_bytes(*planned, options(1, 32)) ==
          ForwardRunner::workspace_bytes(*loaded, options(1, 32)));
  }
}

TEST_CASE("tied embeddings are in memory once", "[memory][EC-22]") {
  const auto tied = load(kTied, true), untied = load(kUntied, true);
  CHECK(tied->file_bytes() == 0);
  // bf16 throughout, but for norms and the RoPE table.
  CHECK(tied->weight_bytes() < 2 * tied->num_parameters() * 1.02);
  CHECK(untied->file_bytes() > 0);
}

TEST_CASE("a plan that does not fit names its parts and what would fit", "[memory][EC-22]") {
  const auto model = load(kTied, true);
  const RunnerOptions wanted = options(4000, 512);
  const MemoryPlan plan = plan_memory(*model, wanted, machine(64 * kMiB));
  CHECK(check_fits(plan_memory(*model, wanted, machine(plan.total_bytes())), *model, wanted).ok());
  const Status status = check_fits(plan, *model, wanted);
  CHECK(status.code() == Code::kResourceExhausted);
  const std::string& text = status.message();
  CAPTURE(text);
  for (const char* part : {"weights 10", "KV cache 375.0 MiB (4000 blocks", "workspace 5",
                           "steps of 512 tokens", "available 64.0 MiB"})
    CHECK(text.find(part) != std::string::npos);
  const uint64_t fitting = number_between(text, "kv_cache_bytes of ", "MiB fits") * kMiB;
  const uint64_t block = KvCache::bytes(model->cache_layout(), choose_kv_format({}), 1, 16);
  const auto blocks = static_cast<int32_t>(fitting / block);
  const RunnerOptions lower = options(blocks, 512),
                      higher = options(blocks + int(2 * kMiB / block), 512);
  CHECK(check_fits(plan_memory(*model, lower, plan.memory), *model, lower).ok());
  CHECK(!check_fits(plan_memory(*model, higher, plan.memory), *model, higher).ok());
}

TEST_CASE("where the workspace is what does not fit, shorter steps are named", "[memory]") {
  const auto model = load(kTied, true);
  const RunnerOptions wanted = options(1, 1 << 16);
  const MemoryInfo memory = machine(32 * kMiB);
  const std::string text =
      check_fits(plan_memory(*model, wanted, memory), *model, wanted).message();
  CAPTURE(text);
  const uint64_t fitting = number_between(text, "max_num_batched_tokens of ", " fits");
  const RunnerOptions lower = options(1, int64_t(fitting));
  CHECK(check_fits(plan_memory(*model, lower, memory), *model, lower).ok());

  const RunnerOptions least = options(1, 4);
  const std::string hopeless =
      check_fits(plan_memory(*model, least, machine(kMiB)), *model, least).message();
  CHECK(hopeless.find("no setting makes it fit") != std::string::npos);
}

TEST_CASE("a plan has the scratch memory of every thread that samples", "[memory][EC-22]") {
  const auto model = load(kTied, true);
  RunnerOptions one = options(1, 16), three = one;
  one.limits.num_threads = 1, three.limits.num_threads = 3;
  const auto bytes = [&](const RunnerOptions& runner) {
    const Exec ex{.device = runner.device, .isa = runner.isa};
    return plan_memory(*model, runner, {}).workspace_bytes -
           workspace_bytes(*model, runner.limits, ex);
  };
  CHECK(bytes(three) - bytes(one) == 2 * RowSampler::scratch_bytes(model->vocab_size(), 1));
}

TEST_CASE("the log line of a plan adds up", "[memory]") {
  const auto model = load(kTied, true);
  MemoryInfo memory = machine(64 * kMiB);
  memory.group = MemoryInfo::Group{32 * kMiB, 16 * kMiB};
  const MemoryPlan plan = plan_memory(*model, options(128, 512), memory);
  CHECK(plan.total_bytes() == plan.weight_bytes + plan.kv_bytes + plan.workspace_bytes);
  const std::string text = describe(plan);
  CAPTURE(text);
  CHECK(text.find("128 blocks of 16 = 2048 tokens") != std::string::npos);
  CHECK(
      text.find("available 16.0 MiB (machine 64.0 MiB, control group 16.0 MiB of its 32.0 MiB)") !=
      std::string::npos);
}

TEST_CASE("an engine refuses more than there is before it reads weights", "[memory]") {
  EngineConfig config = config_of(kTied);
  config.kv_cache_bytes = uint64_t(1) << 45;
  bool has_read = false;
  const auto parts = load_engine_parts(
      config, [&](const LoadProgress& progress) { has_read |= progress.total_bytes > 0; });
  REQUIRE(!parts.ok());
  CHECK(parts.status().code() == Code::kResourceExhausted);
  CHECK(parts.status().message().find("does not fit into memory") != std::string::npos);
  CHECK(!has_read);
}

TEST_CASE("progress goes through the stages, and to the last byte of the weights", "[memory]") {
  for (const std::string& model : {kTied, kUntied}) {
    CAPTURE(model);
    std::vector<std::string> stages;
    LoadProgress last;
    const auto parts = load_engine_parts(config_of(model), [&](const LoadProgress& progress) {
      if (stages.empty() || stages.back() != progress.stage) stages.push_back(progress.stage);
      if (progress.total_bytes == 0) return;
      CHECK(progress.done_bytes >= last.done_bytes);
      CHECK(progress.done_bytes <= progress.total_bytes);
      last = progress;
    });
    REQUIRE(parts.ok());
    CHECK(stages == std::vector<std::string>{"config", "tokenizer", "weights", "memory"});
    CHECK(last.total_bytes > 0);
    CHECK(last.done_bytes == last.total_bytes);
  }
}

TEST_CASE("a KV pool of default size takes memory as it is used", "[memory][EC-24]") {
  EngineConfig config = config_of(kTied);
  config.max_model_len = 0;
  config.scheduler.max_num_seqs = 256;
  const uint64_t before = read_memory_info().resident_bytes;
  const auto parts = load_engine_parts(config, {});
  REQUIRE(parts.ok());
  const uint64_t kv_bytes = uint64_t(parts->scheduler.num_blocks) * parts->scheduler.block_size *
                            parts->assets.info.kv_bytes_per_token;
  REQUIRE(kv_bytes > 200 * kMiB);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(read_memory_info().resident_bytes - before < kv_bytes / 2);
}

TEST_CASE("an engine's KV pool and workspace are in memory soon, whatever is computed",
          "[memory][EC-24]") {
  EngineConfig config = config_of(kTied);
  config.kv_cache_bytes = 320 * kMiB;
  config.scheduler.max_num_batched_tokens = 4096;
  const auto model = load(kTied, true);
  const RunnerOptions runner = options(
      int32_t(320 * kMiB / KvCache::bytes(model->cache_layout(), choose_kv_format({}), 1, 16)),
      4096);
  const MemoryPlan plan = plan_memory(*model, runner, {});
  const uint64_t before = read_memory_info().resident_bytes;
  const auto parts = load_engine_parts(config, {});
  REQUIRE(parts.ok());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  uint64_t taken = 0;
  while (taken < plan.total_bytes() * 97 / 100 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    taken = read_memory_info().resident_bytes - before;
  }
  CHECK(taken >= plan.total_bytes() * 97 / 100);  // that it is no more: e2e/load_test.py
}
