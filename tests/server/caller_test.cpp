// The traceparent of W3C's Trace Context: what is none is no part of the log.
#include "server/api/caller.h"

#include <catch2/catch.hpp>

using namespace tern;

TEST_CASE("a traceparent is taken where it is valid", "[log]") {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c", parent = "b7ad6b7169203331";
  const std::string good = "00-" + trace + "-" + parent + "-01";
  CHECK(valid_traceparent(good) == good);
  CHECK(valid_traceparent("cc-" + trace + "-" + parent + "-01-what-comes-later") != "");
  for (const std::string& bad :
       {std::string(), std::string("00"), good + "-x", good + " ", " " + good,
        "ff-" + trace + "-" + parent + "-01", "00-" + std::string(32, '0') + "-" + parent + "-01",
        "00-" + trace + "-" + std::string(16, '0') + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" + parent + "-01",
        "00_" + trace + "-" + parent + "-01", "00-" + trace + "-" + parent + "-0g",
        "cc-" + trace + "-" + parent + "-01x", "cc-" + trace + "-" + parent + "-01-a\nb",
        good + ", " + good})
    CHECK(valid_traceparent(bad) == "");
}
