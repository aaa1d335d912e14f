#include "scheduler/step_cost.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace tern;

TEST_CASE("a step's cost is learnt from its tokens", "[scheduler][cost]") {
  StepCostModel model;
  CHECK(model.predict(100) == Seconds(0));  // nothing known
  const auto truth = [](int64_t tokens) { return 1e-3 + 2e-5 * double(tokens); };
  for (int i = 0; i < 50; ++i) {
    const int32_t tokens = i % 5 == 0 ? 512 : 8 + i % 3;
    model.observe(tokens, Seconds(truth(tokens)));
  }
  for (const int64_t tokens : {1, 9, 300, 512, 2048})
    CHECK(model.predict(tokens).count() == Approx(truth(tokens)).epsilon(1e-6));
}

TEST_CASE("steps of one size give no negative time for another", "[scheduler][cost]") {
  StepCostModel model;
  for (int i = 0; i < 10; ++i) model.observe(64, Seconds(4e-3));
  CHECK(model.predict(64).count() == Approx(4e-3));
  CHECK(model.predict(1).count() >= 0);
  CHECK(model.predict(640).count() == Approx(4e-2));  // at most in proportion
  // Larger steps that happened to be quicker: no falling line.
  for (int i = 0; i < 50; ++i) model.observe(640, Seconds(1e-3));
  CHECK(model.predict(6400) >= model.predict(1));
}

TEST_CASE("newer steps weigh more", "[scheduler][cost]") {
  StepCostModel model;
  for (int i = 0; i < 1000; ++i) model.observe(8, Seconds(1));
  for (int i = 0; i < 500; ++i) model.observe(8, Seconds(1e-3));
  CHECK(model.predict(8).count() < 0.02);
}
