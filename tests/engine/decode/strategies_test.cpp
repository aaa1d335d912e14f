#include "engine/decode/strategies.h"

#include <catch2/catch.hpp>

using namespace tern;

TEST_CASE("strategies are found by their names, and others added", "[engine][strategies][EC-37]") {
  const DecodeStrategies tern_own(nullptr, {});
  const auto autoregressive = tern_own.find("autoregressive");
  REQUIRE(autoregressive.ok());
  CHECK(*autoregressive == *tern_own.find(kDefaultStrategy));
  CHECK(tern_own.find("drafting").status().code() == Code::kInvalidArgument);
  CHECK(tern_own.find("").status().message() == "strategy: '' is none of autoregressive");

  const StrategyRow more[] = {{"drafting", make_autoregressive}};
  const DecodeStrategies extended(nullptr, {}, more);
  REQUIRE(extended.find("drafting").ok());
  CHECK(*extended.find("drafting") != *extended.find("autoregressive"));
  CHECK(extended.find("x").status().message() ==
        "strategy: 'x' is none of autoregressive, drafting");
}
