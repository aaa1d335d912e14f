#include "engine/step/warm_up.h"

#include <catch2/catch.hpp>
#include <limits>

#include "engine/step/sim_engine.h"

using namespace tern;

namespace {

/// Counts steps; the logits of its steps are not finite where asked.
class CountingRunner final : public ModelRunner {
 public:
  explicit CountingRunner(bool finite) : finite_(finite), logits_(SimRunner::kVocabSize, 0.0f) {
    if (!finite_) logits_[7] = std::numeric_limits<float>::quiet_NaN();
  }
  MatView<const float> execute(const StepBatch& batch) override {
    ++num_steps;
    num_tokens += batch.num_tokens();
    return {logits_.data(), int64_t(batch.logits_rows.size()), SimRunner::kVocabSize,
            SimRunner::kVocabSize};
  }
  int num_steps = 0;
  int64_t num_tokens = 0;

 private:
  const bool finite_;
  std::vector<float> logits_;
};

SchedulerConfig config(int32_t max_model_len) {
  SchedulerConfig c;
  c.max_model_len = max_model_len;
  c.num_blocks = 8;
  return c;
}

}  // namespace

TEST_CASE("a warm-up prefills and decodes once", "[runtime][warm_up]") {
  const SteadyClock clock;
  CountingRunner runner(true);
  REQUIRE(warm_up(make_sim_assets(64), config(64), clock, runner).ok());
  CHECK(runner.num_steps == 2);
  CHECK(runner.num_tokens == 9);
  CountingRunner tiny(true);
  REQUIRE(warm_up(make_sim_assets(2), config(2), clock, tiny).ok());
  CHECK(tiny.num_steps == 1);
}

TEST_CASE("a model whose logits are not finite is found before it serves", "[runtime][warm_up]") {
  const SteadyClock clock;
  CountingRunner runner(false);
  const Status status = warm_up(make_sim_assets(64), config(64), clock, runner);
  CHECK(status.code() == Code::kInternal);
  CHECK(status.message().starts_with("warm-up: "));
}
