// longrope: a request's factors are fixed when it is added, and requests share no prefix across
// them.
#include <catch2/catch.hpp>

#include "engine/serve/create.h"
#include "engine/serve/generate_all.h"
#include "tests/support/source_dir.h"

using namespace tern;

namespace {

constexpr int32_t kOriginalContext = 64;

std::unique_ptr<Engine> start(bool prefix_caching) {
  EngineConfig config;
  config.model_dir = source_path("tests/data/golden/phi3-longrope-partial");
  config.num_threads = 1;
  config.scheduler.block_size = 16;
  config.scheduler.enable_prefix_caching = prefix_caching;
  Result<std::unique_ptr<Engine>> engine = create_engine(config, {});
  INFO(engine.status().message());
  REQUIRE(engine.ok());
  return *std::move(engine);
}

/// The same 40 tokens each time; `num_computed`: tokens whose KV the request may come to need.
Request request(int32_t num_computed) {
  Request r;
  for (int32_t i = 0; i < 40; ++i) r.prompt_token_ids.push_back(3 + i * 53 % 300);
  r.sampling.temperature = 0;
  r.sampling.max_tokens = num_computed + 1 - 40;
  r.sampling.ignore_eos = true;
  return r;
}

GeneratedAnswer run(Engine& engine, const Request& r) {
  Result<std::vector<GeneratedAnswer>> answers = generate_all(engine, {r}, {});
  INFO(answers.status().message());
  REQUIRE(answers.ok());
  return answers->front();
}

}  // namespace

TEST_CASE("a request that leaves the original context has the long factors from its first token",
          "[runtime][longrope]") {
  const auto engine = start(false);
  const std::vector<int32_t> within = run(*engine, request(kOriginalContext)).token_ids;
  const std::vector<int32_t> beyond = run(*engine, request(kOriginalContext + 1)).token_ids;
  const std::vector<int32_t> far = run(*engine, request(200)).token_ids;
  CHECK(within != std::vector(beyond.begin(), beyond.end() - 1));
  CHECK(beyond == std::vector(far.begin(), far.begin() + beyond.size()));
}

TEST_CASE("requests share a prefix only under the same factors", "[runtime][longrope][EC-13]") {
  const auto plain = start(false);
  const auto engine = start(true);
  const auto check = [&](int32_t num_computed, int32_t cached_tokens) {
    const GeneratedAnswer answer = run(*engine, request(num_computed));
    CAPTURE(num_computed);
    CHECK(answer.finished.usage.cached_tokens == cached_tokens);
    CHECK(answer.token_ids == run(*plain, request(num_computed)).token_ids);
  };
  check(50, 0);
  check(60, 32);
  check(90, 0);
  check(80, 32);
  check(50, 32);
}
