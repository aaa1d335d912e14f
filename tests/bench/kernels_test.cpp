#include "bench/kernels.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "bench/kernel_cases.h"
#include "tests/bench/quick.h"

using namespace tern;
using nlohmann::json;

namespace {

BenchKernelsOptions quick() {
  return {.num_threads = 2,
          .repeat = 1,
          .sample_s = 0,
          .most_s = 0,
          .cold_bytes = 1,
          .effort = quick_effort()};
}

/// Small shapes, with tails, of every operation.
const std::map<std::string, std::string> kTinyShapes{{"gemm", "3x33x130"},
                                                     {"quantize_input", "2x70"},
                                                     {"rmsnorm", "2x33"},
                                                     {"rope", "3x2x16"},
                                                     {"gated_activation", "2x33"},
                                                     {"softcap", "1x40"},
                                                     {"add", "2x33"},
                                                     {"embed", "2x24"},
                                                     {"gather_rows", "2x24"},
                                                     {"gather_cols", "2x24"},
                                                     {"kv_write", "3x2x8"},
                                                     {"attention", "2x3x20"}};

json measure(BenchKernelsOptions options) {
  const Result<json> r = bench_kernels(options, [](double) {});
  INFO(r.status().message());
  REQUIRE(r.ok());
  return *r;
}

std::string complaint(const BenchKernelsOptions& options) {
  const Status status = check_bench_kernels(options);
  REQUIRE(status.code() == Code::kInvalidArgument);
  CHECK(bench_kernels(options, [](double) {}).status().message() == status.message());
  return status.message();
}

using Key = std::tuple<std::string, std::string, std::string>;  // op, kernel, format

/// Says of an operation's kernels which formats they take.
template <class Op>
std::set<std::string> formats_of(const Kernel<Op>&) {
  return {""};
}
template <>
std::set<std::string> formats_of(const Kernel<Gemm>& k) {
  std::set<std::string> names;
  for (const Format& f : example_formats())
    if (k.supports({.w = {.format = f}})) names.insert(f.name());
  return names;
}
template <>
std::set<std::string> formats_of(const Kernel<QuantizeInput>& k) {
  std::set<std::string> names;
  for (const Format& f : example_formats())
    if (!f.packing->input->is_plain() && k.supports({.layout = f.packing->input}))
      names.insert(f.name());
  return names;
}

}  // namespace

TEST_CASE("the walk times every kernel of the registry in every format that it takes",
          "[bench][kernels]") {
  std::set<Key> expected, found;
  for_each_table(kernels(), [&]<class Op>(const KernelTable<Op>& table) {
    for (const Kernel<Op>& k : table.all())
      if (k.name != "ref" && k.isa <= *selected_isa())
        for (const std::string& f : formats_of(k))
          expected.insert({std::string(Op::kName), std::string(k.name), f});
  });
  for (const auto& [op, shape] : kTinyShapes) {
    BenchKernelsOptions o = quick();
    o.op = op, o.shape = shape;
    const json r = measure(o);
    for (const json& row : r["rows"]) {
      CAPTURE(row.dump());
      found.emplace(text(row, "op"), text(row, "kernel"), text(row, "format"));
      CHECK(row["shape"] == shape);
      CHECK(row["threads"] == 2);
      const double share = row["roofline_share"];
      CHECK((std::isfinite(share) && share > 0));
      CHECK(row["us"] > 0);
      CHECK(row["best_us"] > 0);
      CHECK(row["gb_per_s"] > 0);
      CHECK(row["gflop_per_s"] >= 0);
    }
  }
  CHECK(found == expected);
  CHECK(found.size() > 20);
}

TEST_CASE("one instruction set, one format alone", "[bench][kernels]") {
  BenchKernelsOptions o = quick();
  o.isa = "scalar", o.format = "int8_g32", o.op = "gemm", o.shape = "2x16x64";
  const json r = measure(o);
  REQUIRE(r["rows"].size() == 1);
  CHECK(r["rows"][0]["kernel"] == "int8_scalar");
  CHECK(r["rows"][0]["isa"] == "scalar");
  for (const char* key : {"cpu", "isa", "threads", "roofline"}) CHECK(r.contains(key));
}

TEST_CASE("weights take turns until they are more than caches hold", "[bench][kernels]") {
  ThreadPool pool(1);
  const Cases<Gemm> cases = cases_of(kernels().gemm);
  REQUIRE(cases.formats.front()->name() == "f32");
  const size_t bytes = 64 * 256 * 4;
  CaseContext context{pool, 10 * bytes, nullptr};
  const Case<Gemm> c = *cases.make(cases.formats.front(), {1, 64, 256}, context);
  std::set<const std::byte*> weights;
  for (const Gemm::Args& a : c.args) weights.insert(a.w.data);
  CHECK(weights.size() == 10);
  CHECK(c.work.footprint >= 10 * bytes);
  CHECK(c.work.bytes == bytes + 4 * (256 + 64));
  CHECK(c.work.flops == 2 * 64 * 256);

  context.cold_bytes = 1;
  const Case<Attention> decode = *cases_of(kernels().attention).make(nullptr, {2, 1, 32}, context);
  CHECK(decode.args.size() == 1);
  context.cold_bytes = 10 * 2 * 32 * 8 * 64 * 2 * 4;
  const Case<Attention> turns = *cases_of(kernels().attention).make(nullptr, {2, 1, 32}, context);
  std::set<const int32_t*> tables;
  for (const Attention::Args& a : turns.args) tables.insert(a.block_table.data);
  CHECK(tables.size() == 10);
}

TEST_CASE("a format is measured against what it is multiplied with", "[bench][kernels]") {
  ThreadPool pool(1);
  CaseContext context{pool, 1, nullptr};
  const Cases<Gemm> cases = cases_of(kernels().gemm);
  const bool as_bytes = cpu_info().best_isa == Isa::kNeon;  // int16 activations of codes
  for (const Format* f : cases.formats) {
    const Work work = (*cases.make(f, {2, 16, 128}, context)).work;
    CAPTURE(f->name());
    const std::map<const InputLayout*, Arithmetic> expected{
        {&kF32Input, Arithmetic::kF32Fma},
        {&kBf16Input, Arithmetic::kBf16Dot},
        {&kInt16Input, as_bytes ? Arithmetic::kInt8Dot : Arithmetic::kInt16Dot},
        {&kBfp16Input, Arithmetic::kInt16Dot},
        {&kInt8Input, Arithmetic::kInt8Dot}};
    CHECK(work.arithmetic == expected.at(f->packing->input));
    CHECK(work.products == (as_bytes && f->packing->input == &kInt16Input ? 2 : 1));
  }
}

TEST_CASE("wrong options say what is allowed", "[bench][kernels]") {
  BenchKernelsOptions o = quick();
  o.op = "gem";
  CHECK_THAT(complaint(o), Catch::Contains("--op") && Catch::Contains("'gem'") &&
                               Catch::Contains("gemm, quantize_input") &&
                               Catch::Contains("attention"));
  o = quick(), o.format = "bf17";
  CHECK_THAT(complaint(o), Catch::Contains("--format") && Catch::Contains("int4_offset_g32"));
  o = quick(), o.op = "add", o.format = "bf16";
  CHECK_THAT(complaint(o), Catch::Contains("--format") && Catch::Contains("add has none"));
  o = quick(), o.isa = "sse9";
  CHECK_THAT(complaint(o), Catch::Contains("--isa") && Catch::Contains("scalar"));
  o = quick(), o.shape = "1x2x3";
  CHECK_THAT(complaint(o), Catch::Contains("--shape") && Catch::Contains("--op") &&
                               Catch::Contains("gemm MxNxK"));
  o.op = "gemm";
  for (const char* wrong : {"1x2", "0x2x3", "1x2x3x4", "1x2x-3", "ax2x3", "1x2x3x", "x", "16",
                            "1x2x99999999999999999999"}) {
    o.shape = wrong;
    CHECK_THAT(complaint(o), Catch::Contains("MxNxK") && Catch::Contains(wrong));
  }
  o = quick(), o.op = "rope", o.shape = "1x2x3";
  CHECK_THAT(complaint(o), Catch::Contains("MxHxD") && Catch::Contains("even"));
  o.op = "attention", o.shape = "1x9x8";
  CHECK_THAT(complaint(o), Catch::Contains("BxQxC"));
  o = quick(), o.repeat = 0;
  CHECK_THAT(complaint(o), Catch::Contains("--repeat"));
}

TEST_CASE("a shape that no machine can hold is refused", "[bench][kernels]") {
  BenchKernelsOptions o = quick();
  o.op = "gemm", o.format = "f32", o.shape = "1x16777216x16777216";
  const Result<json> r = bench_kernels(o, [](double) {});
  REQUIRE(!r.ok());
  CHECK(r.status().code() == Code::kResourceExhausted);
  CHECK_THAT(r.status().message(), Catch::Contains("gemm 1x16777216x16777216"));
}
