#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "kernels/registry.h"
#include "tests/bench/quick.h"

using namespace tern;
using nlohmann::json;

TEST_CASE("the roofline has every limit of every instruction set, of one thread and of all",
          "[bench][roofline]") {
  std::vector<double> progress;
  const Result<json> r = bench_roofline({.num_threads = 2, .rounds = 2, .effort = quick_effort()},
                                        [&](double part) { progress.push_back(part); });
  REQUIRE(r.ok());
  std::set<std::tuple<std::string, std::string, int>> found, expected;
  for (const json& row : (*r)["rows"]) {
    const bool bytes = row["what"] == "dram_read" || row["what"] == "cache_read";
    const double best = row[bytes ? "gb_per_s" : "gop_per_s"];
    CAPTURE(row.dump());
    CHECK((std::isfinite(best) && best > 0));
    CHECK(row["median"] > 0);
    CHECK(row["median"] <= best);
    found.emplace(text(row, "what"), text(row, "isa"), row["threads"].get<int>());
  }
  for (const int threads : {1, 2}) {
    std::string reads;
    for (const Probe& p : probes()) {
      if (p.isa > *selected_isa()) continue;
      if (p.read != nullptr) reads = isa_name(p.isa);
      for (int a = 0; a < kNumArithmetics; ++a)
        if (p.multiply[a] != nullptr)
          expected.insert(
              {std::string(kArithmeticNames[a]), std::string(isa_name(p.isa)), threads});
    }
    expected.insert({"dram_read", reads, threads});
    expected.insert({"cache_read", reads, threads});
  }
  CHECK(found == expected);
  CHECK(found.size() == (*r)["rows"].size());
  CHECK((*r)["threads"] == 2);
  CHECK(!(*r)["cpu"].get<std::string>().empty());
  CHECK(std::is_sorted(progress.begin(), progress.end()));
  CHECK(progress.back() == Approx(1));
}

TEST_CASE("a kernel's peak is that of the best instruction set which its own covers",
          "[bench][roofline]") {
  Limits limits;
  limits.peaks = {{Isa::kScalar, Arithmetic::kF32Fma, {1, 1}},
                  {Isa::kAvx512, Arithmetic::kF32Fma, {5, 4}},
                  {Isa::kAvx512Vnni, Arithmetic::kInt8Dot, {20, 19}}};
  CHECK(limits.peak(Isa::kAvx2, Arithmetic::kF32Fma) == 1);
  CHECK(limits.peak(Isa::kAvx512Bf16, Arithmetic::kF32Fma) == 5);
  CHECK(limits.peak(Isa::kAvx512Bf16, Arithmetic::kInt8Dot) == 20);
  CHECK(limits.peak(Isa::kAvx512, Arithmetic::kInt8Dot) == 0);
}

TEST_CASE("the longer of moving and multiplying bounds a kernel", "[bench][roofline]") {
  Limits limits{.dram = {10, 9}, .cache = {100, 90}};
  limits.peaks = {{Isa::kScalar, Arithmetic::kF32Fma, {50, 40}}};
  const auto bound = [&](Work work) { return limits.bound(work, Isa::kScalar, 1000); };
  CHECK(bound({.bytes = 200, .flops = 500, .footprint = 1001}).name == "dram");
  CHECK(bound({.bytes = 200, .flops = 500, .footprint = 1001}).seconds == Approx(20));
  CHECK(bound({.bytes = 200, .flops = 50, .footprint = 1000}).name == "cache");
  CHECK(bound({.bytes = 200, .flops = 50, .footprint = 1000}).seconds == Approx(2));
  CHECK(bound({.bytes = 200, .flops = 500, .footprint = 1000}).name == "f32_fma");
  CHECK(bound({.bytes = 200, .flops = 500, .footprint = 1000}).seconds == Approx(10));
  CHECK(bound({.bytes = 200, .flops = 500, .products = 2, .footprint = 0}).seconds == Approx(20));
}

TEST_CASE("of two measurements the better counts, limit by limit", "[bench][roofline]") {
  Limits first{.dram = {10, 9}, .cache = {100, 90}}, second{.dram = {12, 8}, .cache = {99, 98}};
  first.peaks = {{Isa::kScalar, Arithmetic::kF32Fma, {50, 40}}};
  second.peaks = {{Isa::kScalar, Arithmetic::kF32Fma, {60, 30}}};
  first.take_better(second);
  CHECK(first.dram.best == 12);
  CHECK(first.dram.median == 8);
  CHECK(first.cache.best == 100);
  CHECK(first.peak(Isa::kScalar, Arithmetic::kF32Fma) == 60);
}
