#include "base/cpu_info.h"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace tern;

TEST_CASE("TERN_CPU_ISA chooses among what the machine runs", "[base][cpu_info]") {
  const char* before = std::getenv("TERN_CPU_ISA");
  const std::string saved = before ? before : "";
  for (const Isa isa : runnable_isas()) {
    setenv("TERN_CPU_ISA", std::string(isa_name(isa)).c_str(), 1);
    REQUIRE(selected_isa().ok());
    CHECK(*selected_isa() == isa);
  }
  setenv("TERN_CPU_ISA", "avx9000", 1);
  REQUIRE(!selected_isa().ok());
  CHECK(selected_isa().status().message().find("avx9000") != std::string::npos);
  CHECK(selected_isa().status().message().find("scalar") != std::string::npos);
  unsetenv("TERN_CPU_ISA");
  CHECK(*selected_isa() == cpu_info().default_isa);
  if (before) setenv("TERN_CPU_ISA", saved.c_str(), 1);
  CHECK(cpu_info().num_cpus >= 1);
}
