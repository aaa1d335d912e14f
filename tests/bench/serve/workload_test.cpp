#include "bench/serve/workload.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace tern;
using namespace tern::bench;
using Catch::Contains;

namespace {

std::string dataset_error(const std::string& text) {
  const auto rows = parse_dataset(text, "d");
  return rows.ok() ? "" : rows.status().message();
}

Workload make(WorkloadOptions options, ServerFacts facts = {.vocab_size = 100}) {
  auto workload = Workload::create(std::move(options), facts);
  REQUIRE(workload.ok());
  return *std::move(workload);
}

}  // namespace

TEST_CASE("data sets", "[bench][serve][dataset]") {
  const auto rows = parse_dataset(
      R"({"prompt": "hi", "max_tokens": 7, "other": null})"
      "\n"
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})",
      "d");
  REQUIRE(rows.ok());
  CHECK((*rows)[0].prompt == "hi");
  CHECK((*rows)[0].max_tokens == 7);
  CHECK((*rows)[1].messages[1].content == "b");
  const Workload workload = make({.output_len = 9, .dataset = *rows});
  CHECK(workload.request(0).max_tokens == 7);
  CHECK(workload.request(3).messages.size() == 2);  // begins anew
  CHECK(workload.request(3).max_tokens == 9);

  CHECK_THAT(dataset_error("\n\n"), Contains("no requests"));
  for (const char* bad :
       {"{}", "x", R"({"prompt": ""})", R"({"prompt": 1})", R"({"messages": []})",
        R"({"messages": ["x"]})", R"({"messages": [{"content": "x"}]})",
        R"({"prompt": "x", "max_tokens": 0})", R"({"prompt": "x", "max_tokens": 1.5})"})
    CHECK_THAT(dataset_error(std::string("{\"prompt\": \"x\"}\n") + bad), Contains("d:2: "));
}

TEST_CASE("random requests: lengths, range, seeds, vocabulary", "[bench][serve][workload]") {
  const Workload workload =
      make({.input_len = 100, .output_len = 10, .range_ratio = 0.5, .seed = 1},
           {.vocab_size = 50, .eos_token_ids = {7, 49}});
  size_t least = 1000, most = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    const PlannedRequest r = workload.request(i);
    least = std::min(least, r.token_ids.size());
    most = std::max(most, r.token_ids.size());
    CHECK((r.max_tokens >= 5 && r.max_tokens <= 15));
    for (const uint32_t id : r.token_ids) REQUIRE((id < 50 && id != 7 && id != 49));
  }
  CHECK(least >= 50);
  CHECK(least < 55);
  CHECK(most <= 150);
  CHECK(most > 145);
  CHECK(workload.request(3).token_ids == workload.request(3).token_ids);
  CHECK(workload.request(3).token_ids != workload.request(4).token_ids);
  const Workload other = make({.input_len = 100, .seed = 2});
  CHECK(other.request(3).token_ids != make({.input_len = 100, .seed = 3}).request(3).token_ids);

  const PlannedRequest words = make({.input_len = 12, .as_text = true}, {}).request(0);
  CHECK(std::count(words.text.begin(), words.text.end(), ' ') == 11);
  CHECK(words.token_ids.empty());
  const auto unknown = Workload::create({}, {});
  REQUIRE_FALSE(unknown.ok());
  CHECK_THAT(unknown.status().message(), Contains("--vocab-size"));
}

TEST_CASE("lengths of a trace are clipped to the context", "[bench][serve][workload]") {
  const Workload workload =
      make({.trace = {{0, 30, 20}, {0, 500, 3}, {0, 3, 500}, {0, 500, 500}, {0, 60, 40}}},
           {.max_model_len = 100, .vocab_size = 50});
  const std::pair<size_t, int32_t> expected[] = {{30, 20}, {97, 3}, {3, 97}, {50, 50}, {60, 40}};
  for (uint64_t i = 0; i < 5; ++i) {
    const PlannedRequest r = workload.request(i);
    CHECK(r.token_ids.size() == expected[i].first);
    CHECK(r.max_tokens == expected[i].second);
    CHECK(workload.is_clipped(i) == (i >= 1 && i <= 3));
  }
}

TEST_CASE("blocks of equal names are equal tokens", "[bench][serve][workload]") {
  const Workload workload = make({.trace = {{0, 1200, 1, {5, 6, 7}}, {0, 1200, 1, {5, 8, 9}}}});
  const auto a = workload.request(0).token_ids, b = workload.request(1).token_ids;
  CHECK(std::equal(a.begin(), a.begin() + 512, b.begin()));
  CHECK_FALSE(std::equal(a.begin() + 512, a.begin() + 1024, b.begin() + 512));
}

TEST_CASE("the share that is cancelled", "[bench][serve][workload]") {
  const Workload workload = make({.cancel_rate = 0.2, .cancel_after_s = 0.5});
  int cancelled = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    const PlannedRequest r = workload.request(i);
    cancelled += r.cancel_after_s.has_value();
    if (r.cancel_after_s) CHECK(*r.cancel_after_s == 0.5);
  }
  CHECK(std::abs(cancelled - 1000) < 130);  // more than four standard deviations
}
