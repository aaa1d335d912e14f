// The same request gives the same tokens whatever runs beside it and however it is cut up.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/rng.h"
#include "engine/serve/create.h"
#include "engine/serve/generate_all.h"
#include "tests/support/random_gguf.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;

namespace {

constexpr int kNumRequests = 16;
constexpr int kMaxTokens = 24;

EngineConfig base_config() {
  EngineConfig config;
  config.model_dir = source_path("models/tern-stories");
  config.num_threads = 2;
  config.max_model_len = 128;
  config.scheduler.enable_prefix_caching = false;
  return config;
}

std::unique_ptr<Engine> start(const EngineConfig& config) {
  Result<std::unique_ptr<Engine>> engine = create_engine(config, {});
  INFO(engine.status().message());
  REQUIRE(engine.ok());
  return *std::move(engine);
}

// Different prompts, of different lengths; every other one is sampled.
std::vector<Request> make_requests(const Engine& engine) {
  std::vector<Request> requests;
  for (int i = 0; i < kNumRequests; ++i) {
    std::string text = "<|bos|><|user|>Tell me a story about a fox";
    for (int k = 0; k < i; ++k) text += k % 2 ? " and a lamp" : " and a quiet river";
    text += ".<|end|><|assistant|>";
    Request& r = requests.emplace_back();
    r.prompt_token_ids = *engine.tokenizer()->encode(text);
    r.sampling.temperature = i % 2 ? 0.9f : 0.0f;
    r.sampling.top_p = 0.95f;
    r.sampling.seed = 1000 + i;
    r.sampling.max_tokens = kMaxTokens;
    r.sampling.ignore_eos = true;
  }
  return requests;
}

using TokenLists = std::vector<std::vector<int32_t>>;

TokenLists run_together(Engine& engine, std::vector<Request> requests) {
  Result<std::vector<GeneratedAnswer>> answers = generate_all(engine, std::move(requests), {});
  INFO(answers.status().message());
  REQUIRE(answers.ok());
  TokenLists tokens;
  for (GeneratedAnswer& a : *answers) tokens.push_back(std::move(a.token_ids));
  return tokens;
}

bool is_large_batch(const EngineStats& stats) {
  return stats.max_step_seqs >= 12;
}
bool has_preempted(const EngineStats& stats) {
  return stats.scheduler.num_preemptions > 0;
}

// On a busy machine the engine may be through with the first request before the last is submitted:
// again, until it has met what the test is about.
void check_together(Engine& engine, const std::vector<Request>& requests,
                    const TokenLists& expected, bool (*has_met)(const EngineStats&)) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    CHECK(run_together(engine, requests) == expected);
    if (has_met(engine.stats())) return;
  }
  CHECK(has_met(engine.stats()));
}

// One after the other: each alone.
TokenLists run_alone(Engine& engine, const std::vector<Request>& requests) {
  TokenLists tokens;
  for (const Request& r : requests) tokens.push_back(run_together(engine, {r})[0]);
  return tokens;
}

const TokenLists& reference() {
  static const TokenLists tokens = [] {
    const auto engine = start(base_config());
    TokenLists alone = run_alone(*engine, make_requests(*engine));
    REQUIRE(engine->stats().max_step_seqs == 1);
    for (const auto& t : alone) REQUIRE(t.size() == kMaxTokens);
    return alone;
  }();
  return tokens;
}

}  // namespace

TEST_CASE("tokens do not depend on batch mates", "[runtime][determinism]") {
  const auto engine = start(base_config());
  check_together(*engine, make_requests(*engine), reference(), is_large_batch);
}

TEST_CASE("tokens do not depend on where prefill is cut", "[runtime][determinism]") {
  // The longest prompt, at every chunk size; all prompts, at some.
  EngineConfig config = base_config();
  const auto whole = start(config);
  const std::vector<Request> requests = make_requests(*whole);
  const int longest = static_cast<int>(requests.back().prompt_token_ids.size());
  REQUIRE(longest > 2 * 16);
  for (int chunk = 1; chunk <= longest; ++chunk) {
    config.scheduler.max_num_batched_tokens = chunk;
    config.scheduler.max_num_seqs = std::min(chunk, 16);
    const auto engine = start(config);
    CAPTURE(chunk);
    REQUIRE(run_together(*engine, {requests.back()})[0] == reference().back());
    if (chunk % 13 == 5) REQUIRE(run_together(*engine, requests) == reference());
  }
}

TEST_CASE("tokens do not depend on a prefix hit", "[runtime][determinism]") {
  EngineConfig config = base_config();
  config.scheduler.enable_prefix_caching = true;
  const auto engine = start(config);
  const std::vector<Request> requests = make_requests(*engine);
  CHECK(run_alone(*engine, requests) == reference());
  const uint64_t before = engine->stats().scheduler.prefix_cache_hit_tokens;
  CHECK(run_together(*engine, requests) == reference());
  CHECK(engine->stats().scheduler.prefix_cache_hit_tokens > before + 16 * kNumRequests);
}

TEST_CASE("tokens do not depend on preemption", "[runtime][determinism]") {
  for (const bool prefix_caching : {false, true}) {
    EngineConfig config = base_config();
    config.scheduler.enable_prefix_caching = prefix_caching;
    const auto probe = start(config);
    const uint64_t block_bytes = probe->model_info().kv_bytes_per_token * 16;
    config.kv_cache_bytes = 14 * block_bytes;
    const auto engine = start(config);
    check_together(*engine, make_requests(*engine), reference(), has_preempted);
    const SchedulerStats stats = engine->stats().scheduler;
    CHECK(stats.num_blocks == 14);
    CHECK(stats.num_used_blocks == 0);
  }
}

TEST_CASE("tokens do not depend on the number of threads", "[runtime][determinism][EC-21]") {
  for (const int threads : {1, 3}) {
    EngineConfig config = base_config();
    config.num_threads = threads;
    const auto engine = start(config);
    CAPTURE(threads);
    CHECK(run_together(*engine, make_requests(*engine)) == reference());
  }
}

TEST_CASE("penalties, bias, masks and n give the same tokens in any company",
          "[runtime][determinism]") {
  const auto change = [](const Engine& engine) {
    std::vector<Request> requests = make_requests(engine);
    for (size_t i = 0; i < requests.size(); ++i) {
      SamplingParams& p = requests[i].sampling;
      p.max_tokens = 40;
      if (i % 2 == 0) p.presence_penalty = 0.7f, p.frequency_penalty = 0.3f;
      if (i % 3 == 0) p.repetition_penalty = 1.3f;
      if (i % 4 == 1) p.logit_bias = {{int32_t(i), 4.0f}, {300, -100.0f}}, p.logprobs = 2;
      if (i % 5 == 0) p.bad_words = {"the", "a little"};
      if (i % 5 == 1) p.min_tokens = 30, p.ignore_eos = false;
      if (i % 4 == 3) p.n = 3;
    }
    return requests;
  };
  const auto with = [](auto set) {
    EngineConfig config = base_config();
    set(config);
    return start(config);
  };
  const auto plain = start(base_config());
  const TokenLists plain_tokens = run_together(*plain, make_requests(*plain));
  const std::vector<Request> requests = change(*plain);
  TokenLists expected;  // each request alone, each of n answers a request of its own
  for (const Request& r : requests) {
    for (int32_t i = 0; i < r.sampling.n; ++i) {
      Request single = r;
      single.sampling.n = 1;
      single.sampling.seed += uint64_t(i);
      expected.push_back(run_together(*plain, {single})[0]);
    }
  }
  CHECK(expected[0] != plain_tokens[0]);  // the penalties do something
  CHECK(run_together(*plain, requests) == expected);

  const auto cached = with([](EngineConfig& c) { c.scheduler.enable_prefix_caching = true; });
  CHECK(run_together(*cached, requests) == expected);
  CHECK(run_together(*cached, requests) == expected);
  const uint64_t block_bytes = plain->model_info().kv_bytes_per_token * 16;
  for (const bool prefix_caching : {false, true}) {
    const auto scarce = with([&](EngineConfig& c) {
      c.scheduler.enable_prefix_caching = prefix_caching;
      c.scheduler.max_num_batched_tokens = 19;
      c.scheduler.max_num_seqs = 13;
      c.kv_cache_bytes = 14 * block_bytes;
    });
    check_together(*scarce, requests, expected, has_preempted);
  }
}

TEST_CASE("on every instruction set a batch gives the tokens of each request alone",
          "[runtime][determinism]") {
  for (const Isa isa : runnable_isas()) {
    setenv("TERN_CPU_ISA", std::string(isa_name(isa)).c_str(), 1);
    const auto engine = start(base_config());
    unsetenv("TERN_CPU_ISA");
    const std::vector<Request> requests = make_requests(*engine);
    CAPTURE(isa_name(isa));
    CHECK(run_together(*engine, requests) == run_alone(*engine, requests));
  }
}

namespace {

/// One model: requests alone, in a batch, chunked, with prefix hits, preempted.
void check_any_company(EngineConfig config, std::string_view weight_format) {
  CAPTURE(config.model_dir);
  const auto alone = start(config);
  CHECK(alone->model_info().weight_format == weight_format);
  std::vector<Request> requests;
  for (int i = 0; i < kNumRequests; ++i) {
    Request& r = requests.emplace_back();
    for (int k = 0; k < 5 + 4 * i; ++k)
      r.prompt_token_ids.push_back(
          static_cast<int32_t>(3 + random_bits(9, RngStream::kTest, uint64_t(i) << 8 | k) % 300));
    r.sampling.temperature = i % 2 ? 1.0f : 0.0f;
    r.sampling.seed = i;
    r.sampling.max_tokens = 12;
    r.sampling.ignore_eos = true;
  }
  const TokenLists expected = run_alone(*alone, requests);
  check_together(*alone, requests, expected, is_large_batch);

  EngineConfig chunked = config;
  chunked.scheduler.max_num_batched_tokens = 7;
  chunked.scheduler.max_num_seqs = 7;
  chunked.scheduler.enable_prefix_caching = true;
  const auto cut = start(chunked);
  CHECK(run_together(*cut, requests) == expected);
  CHECK(run_together(*cut, requests) == expected);  // with prefix hits
  CHECK(cut->stats().scheduler.prefix_cache_hit_tokens > 0);

  EngineConfig scarce = config;
  scarce.kv_cache_bytes = 10 * 16 * alone->model_info().kv_bytes_per_token;
  const auto preempting = start(scarce);
  check_together(*preempting, requests, expected, has_preempted);
}

}  // namespace

TEST_CASE("every architecture gives a request the same tokens in any company",
          "[runtime][determinism]") {
  const std::string root = source_path("tests/data/golden");
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    EngineConfig config = base_config();
    config.model_dir = entry.path().string();
    check_any_company(config, "bf16");
  }
}

TEST_CASE("quantized weights give a request the same tokens in any company",
          "[runtime][determinism]") {
  const test::TempDir dir;
  for (const test::GgufType& type : {test::kQ8_0, test::kQ4_0, test::kQ4_1}) {
    EngineConfig config = base_config();
    config.model_dir = dir.write(std::string(type.name) + ".gguf", test::random_llama_gguf(type));
    check_any_company(config, type.id == test::kQ8_0.id ? "int8" : "int4");
  }
}

TEST_CASE("bf16 dot products give a request the same tokens in any company",
          "[runtime][determinism]") {
  EngineConfig config = base_config();
  config.compute = "fast";
  config.model_dir = source_path("tests/data/golden/llama");
  check_any_company(config, "bf16");
}
