#include "bench/support/slo.h"

#include <catch2/catch.hpp>

using namespace tern::bench;
using Catch::Contains;

TEST_CASE("limits of the SLO", "[bench][support][slo]") {
  const auto slo = parse_slo("ttft=200ms,tpot=500us,e2el=1.5m");
  REQUIRE(slo.ok());
  CHECK(*slo->ttft_s == Approx(0.2));
  CHECK(*slo->tpot_s == Approx(5e-4));
  CHECK(*slo->e2el_s == Approx(90));
  const auto one = parse_slo("e2el=2s");
  REQUIRE(one.ok());
  CHECK((!one->ttft_s && !one->tpot_s && *one->e2el_s == 2));
  CHECK_FALSE(one->empty());
}

TEST_CASE("wrong limits are named", "[bench][support][slo]") {
  const auto error = [](const char* text) {
    const auto slo = parse_slo(text);
    return slo.ok() ? std::string() : slo.status().message();
  };
  CHECK_THAT(error(""), Contains("ttft=TIME"));
  CHECK_THAT(error("ttft"), Contains("'ttft'"));
  CHECK_THAT(error("itl=3ms"), Contains("'itl=3ms'"));
  CHECK_THAT(error("ttft=200"), Contains("ttft: ") && Contains("unit"));
  CHECK_THAT(error("ttft=200 ms"), Contains("'200 ms'"));
  CHECK_THAT(error("ttft=-1s"), Contains("'-1s'"));
  CHECK_THAT(error("ttft=0s"), Contains("over 0"));
  CHECK_THAT(error("ttft=nans"), Contains("ttft"));
  CHECK_THAT(error("ttft=infs"), Contains("ttft"));
  CHECK_THAT(error("ttft=1s,ttft=2s"), Contains("twice"));
  CHECK_THAT(error("ttft=1s,"), Contains("''"));
  CHECK_THAT(error("ttft=1s;tpot=1s"), Contains("ttft"));
}
