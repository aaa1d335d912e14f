#include "base/fail_point.h"

#include <catch2/catch.hpp>

using namespace tern;

TEST_CASE("fail points act as often as they are told", "[fail_point]") {
  CHECK(!fail_point("test.nothing"));
  REQUIRE(arm_fail_points("test.a=fail:13:DEVICE_FAULT@1*2,test.b=delay:0").ok());
  CHECK(!fail_point("test.a"));  // skipped
  const auto first = fail_point("test.a");
  REQUIRE(first);
  CHECK(first->code() == Code::kInternal);
  REQUIRE(first->detail());
  CHECK(first->detail()->reason == "DEVICE_FAULT");
  CHECK(fail_point("test.a"));
  CHECK(!fail_point("test.a"));
  CHECK(!fail_point("test.b"));
  CHECK(!fail_point("test.c"));
}

TEST_CASE("checking fail points arms none", "[fail_point]") {
  CHECK(check_fail_points("test.checked=fail:13:R").ok());
  CHECK(!fail_point("test.checked"));
  CHECK(!arm_fail_points("test.checked=fail:13:R,x").ok());  // all or none
  CHECK(!fail_point("test.checked"));
}

TEST_CASE("a fail point that cannot be is refused", "[fail_point]") {
  for (const char* spec : {"x", "=hang", "x=", "x=hangs", "x=delay", "x=delay:soon", "x=delay:-1",
                           "x=fail", "x=fail:99:R", "x=fail:A:R", "x=hang*", "x=hang@y"}) {
    INFO(spec);
    CHECK(check_fail_points(std::string("test.unarmed=hang,") + spec).code() ==
          Code::kInvalidArgument);
    const Status status = arm_fail_points(spec);
    CHECK(status.code() == Code::kInvalidArgument);
    CHECK(status.message().find("fail point") != std::string::npos);
  }
}
