#include "base/code_name.h"

#include <catch2/catch.hpp>

using namespace tern;

TEST_CASE("codes have gRPC's names", "[base]") {
  CHECK(code_name(Code::kOk) == "OK");
  CHECK(code_name(Code::kResourceExhausted) == "RESOURCE_EXHAUSTED");
  CHECK(code_name(Code::kUnauthenticated) == "UNAUTHENTICATED");
  for (const int none : {-1, 17, 99}) CHECK(code_name(static_cast<Code>(none)) == "UNKNOWN");
}
