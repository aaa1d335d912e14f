// The heap while the engine decodes: a step may take memory for nothing but its events.
#include <catch2/catch.hpp>

#include "engine/serve/create.h"
#include "engine/step/engine_loop.h"
#include "tests/support/count_allocations.h"
#include "tests/support/source_dir.h"

namespace tern {
namespace {

/// Counts events that own memory: theirs to take along.
class CountingSink final : public TokenSink {
 public:
  void on_event(TokenEvent event) override {
    ++num_events;
    num_owned += (event.token_ids.capacity() > 0) + (event.text.size() > std::string().capacity());
  }
  int num_events = 0;
  uint64_t num_owned = 0;
};

}  // namespace

TEST_CASE("a step of decodes allocates nothing but the events that it gives away",
          "[engine][EC-25]") {
  EngineConfig config;
  config.model_dir = source_path("models/tern-stories");
  config.num_threads = 2;
  config.max_model_len = 256;
  config.scheduler.max_num_seqs = 4;
  config.scheduler.enable_prefix_caching = GENERATE(false, true);
  Result<EngineParts> parts = load_engine_parts(config, {});
  REQUIRE(parts.ok());
  Result<std::unique_ptr<Scheduler>> scheduler = Scheduler::create(parts->scheduler);
  REQUIRE(scheduler.ok());
  const SteadyClock clock;
  const ModelAssets& assets = parts->assets;
  const DecodeStrategies strategies(assets.tokenizer.get(), assets.info.eos_token_ids);
  EngineLoop loop(*std::move(scheduler), *parts->runner, strategies, assets.info.vocab_size, clock,
                  nullptr);

  const auto sink = std::make_shared<CountingSink>();
  for (uint64_t id = 1; id <= 4; ++id) {
    Request r;
    r.prompt_token_ids = *assets.tokenizer->encode("Once upon a time there was a fox");
    r.sampling.temperature = id % 2 ? 0.0f : 0.8f;
    r.sampling.top_p = 0.9f;
    r.sampling.frequency_penalty = id > 2 ? 0.5f : 0.0f;
    r.sampling.max_tokens = 200;
    r.sampling.ignore_eos = true;
    r.sampling.stop = {"a text that never comes"};
    loop.add({id, std::move(r), sink, clock.now()});
  }
  // Vectors have grown to their size, and a first block has been published.
  while (sink->num_events < 4 * 24) loop.step();

  const int first = sink->num_events;
  while (sink->num_events < 4 * 150) {
    const uint64_t owned = sink->num_owned, before = test::num_allocations();
    REQUIRE(loop.step());
    CHECK(test::num_allocations() - before == sink->num_owned - owned);
  }
  CHECK((sink->num_events - first) % 4 == 0);
}

}  // namespace tern
