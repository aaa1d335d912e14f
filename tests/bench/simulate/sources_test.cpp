#include <algorithm>
#include <catch2/catch.hpp>

#include "bench/simulate/figures.h"
#include "bench/simulate/load_source.h"
#include "bench/support/utc_time.h"

using namespace tern;
using namespace tern::bench;
using Catch::Contains;

namespace {

std::string lengths_error(const std::string& text) {
  const auto source = parse_lengths(text, "l");
  return source.ok() ? "" : source.status().message();
}

std::string log_error(const std::string& text) {
  const auto source = parse_request_log(text, "d");
  return source.ok() ? "" : source.status().message();
}

// One request in each format of the log, as base/log_format.cpp writes them; they arrive at
// 12:00:01, 12:00:00 and 12:00:02.5.
const std::string kText =
    "2026-01-31T12:00:03.000Z info request id=a class=bulk transport=http prompt_tokens=12 "
    "cached_tokens=0 completion_tokens=64 queue_ms=0.1 ttft_ms=3.2 tpot_ms=2.41 e2e_ms=2000.0 "
    "preemptions=0 reason=STOP_EOS peer=127.0.0.1:40312 prompt=\"say completion_tokens=9 "
    "\\\"now\\\"\"\n";
const std::string kJson =
    R"({"time":"2026-01-31T12:00:01.500Z","level":"info","msg":"request","id":"b","class":"default",)"
    R"("prompt_tokens":7,"cached_tokens":0,"completion_tokens":5,"queue_ms":0.5,"ttft_ms":20.0,"e2e_ms":1500.0,"reason":"LENGTH"})"
    "\n";
const std::string kLogfmt =
    "Jan 31 host ternd[7]: time=2026-01-31T12:00:03.000Z level=info msg=request id=c class=system "
    "prompt_tokens=3 completion_tokens=2 queue_ms=0.0 ttft_ms=1.0 e2e_ms=500.0 tenant=t1\n";

}  // namespace

TEST_CASE("lengths: prompts, their tokens, tenants and classes", "[bench][simulate][source]") {
  const auto source = parse_lengths(
      R"({"prompt": "a b  c\nd", "length": 30, "more": [1]})"
      "\n"
      R"({"prompt": "x", "length": 0, "prompt_tokens": 17, "tenant": "t", "class": "bulk"})",
      "l");
  REQUIRE(source.ok());
  REQUIRE(source->rows.size() == 2);
  CHECK(source->has_prompts);
  CHECK_FALSE(source->has_times);
  CHECK(source->rows[0].input_tokens == 5);  // 4 words · 1.33
  CHECK(source->rows[0].output_tokens == 30);
  CHECK(source->rows[0].priority == PriorityClass::kDefault);
  CHECK(source->rows[1].input_tokens == 17);
  CHECK(source->rows[1].output_tokens == 1);  // an empty answer ends with a token, too
  CHECK(source->rows[1].tenant == "t");
  CHECK(source->rows[1].priority == PriorityClass::kBulk);
  CHECK(source->mean_output_tokens() == 15.5);
  CHECK(source->max_total_tokens() == 35);
}

TEST_CASE("wrong lengths are refused with their line", "[bench][simulate][source]") {
  const std::string good = "{\"prompt\": \"p\", \"length\": 1}\n";
  CHECK_THAT(lengths_error(""), Contains("no requests"));
  CHECK_THAT(lengths_error(good + "[]"), Contains("l:2: "));
  CHECK_THAT(lengths_error(good + R"({"length": 1})"), Contains("l:2: ") && Contains("'prompt'"));
  CHECK_THAT(lengths_error(good + R"({"prompt": "p"})"), Contains("'length'"));
  CHECK_THAT(lengths_error(R"({"prompt": "p", "length": -1})"), Contains("length"));
  CHECK_THAT(lengths_error(R"({"prompt": "p", "length": 1.5})"), Contains("1.5"));
  CHECK_THAT(lengths_error(R"({"prompt": 3, "length": 1})"), Contains("prompt must be text"));
  CHECK_THAT(lengths_error(R"({"prompt": "p", "length": 1, "class": "urgent"})"),
             Contains("'urgent'"));
}

TEST_CASE("a daemon's log in all its formats, by arrival", "[bench][simulate][source]") {
  const std::string other =
      "2026-01-31T11:59:00.000Z info ternd ready: listening on 127.0.0.1:50051\n"
      "2026-01-31T12:00:00.000Z info refused id=- peer=- transport=http reason=X code=Y "
      "status=400\n"
      "2026-01-31T12:00:09.000Z error request id=z failed: no\n";
  const std::string empty =
      "2026-01-31T12:00:05.000Z info request id=e class=default prompt_tokens=3 "
      "completion_tokens=0 queue_ms=0.0 ttft_ms=0.0 e2e_ms=5.0\n";
  const auto source = parse_request_log(other + kText + kJson + empty + kLogfmt, "d");
  REQUIRE(source.ok());
  REQUIRE(source->rows.size() == 3);
  CHECK(source->has_times);
  CHECK(source->num_skipped == 1);
  CHECK(source->rows[0].at_s == 0);
  CHECK(source->rows[0].output_tokens == 5);
  CHECK(source->rows[1].at_s == Approx(1.0).margin(1e-6));
  CHECK(source->rows[1].input_tokens == 12);
  CHECK(source->rows[1].output_tokens == 64);  // not what the prompt says
  CHECK(source->rows[1].priority == PriorityClass::kBulk);
  CHECK(source->rows[2].at_s == Approx(2.5).margin(1e-6));
  CHECK(source->rows[2].priority == PriorityClass::kSystem);
  CHECK(source->rows[2].tenant == "t1");
  const Figures own = logged_figures(*source, 2, {});
  CHECK(own.completed == 2);
  CHECK(own.mean_e2el_ms == Approx(1750));
  CHECK(own.max_ttft_ms == Approx(20));
  CHECK(own.max_per_token_ms == Approx(300));
  CHECK(own.max_wait_ms == Approx(0.5));
}

TEST_CASE("a log that is cut in its last line is read up to there", "[bench][simulate][source]") {
  for (const std::string& last : {kText, kJson, kLogfmt})
    for (size_t size = 0; size < last.size(); ++size) {
      const auto source = parse_request_log(kJson + last.substr(0, size), "d");
      REQUIRE(source.ok());
      CHECK(source->rows.size() == 1);
    }
}

TEST_CASE("a log without requests, or with half ones, is refused", "[bench][simulate][source]") {
  CHECK_THAT(log_error("2026-01-31T12:00:00.000Z info hello\n"), Contains("log.level"));
  for (const char* key : {"e2e_ms=2000.0", "prompt_tokens=12", "completion_tokens=64"}) {
    std::string line = kText;
    line.replace(line.find(key), std::string(key).size(), "x=1");
    const std::string name(key, std::find(key, key + 40, '=') - key);
    CHECK_THAT(log_error(line), Contains("d:1: ") && Contains(name));
  }
}

TEST_CASE("times in UTC", "[bench][support][utc_time]") {
  CHECK(*parse_utc("1970-01-02 00:00:01.5") == 86401.5);
  CHECK(*parse_utc("1970-01-02T00:00:01.500Z") == 86401.5);
  for (const char* wrong : {"", "Z", "1970-01-02", "1970-01-02X00:00:01", "1970-13-02 00:00:01",
                            "1970-00-02 00:00:01", "1970-01-02 00:00:01.", "1970-01-02 00:00:0a"})
    CHECK_FALSE(parse_utc(wrong));
}

TEST_CASE("arrivals: rows of a trace in order, others drawn", "[bench][simulate][source]") {
  LoadSource source{.has_times = true};
  for (const double at_s : {0.0, 1.0, 4.0}) source.rows.push_back({.at_s = at_s});
  const auto recorded = make_arrivals(source, {.num_requests = 9});
  REQUIRE(recorded.size() == 3);
  CHECK((recorded[1].at_s == 1 && recorded[1].row == 1));
  CHECK(make_arrivals(source, {.num_requests = 2}).size() == 2);
  const auto stretched = make_arrivals(source, {.num_requests = 3, .rate = 0.5});
  CHECK(stretched[2].at_s == Approx(6));  // 3 requests at 0.5 a second
  CHECK(stretched[1].at_s == Approx(1.5));

  source.has_times = false;
  const auto drawn = make_arrivals(source, {.num_requests = 30000, .rate = 10, .seed = 4});
  std::vector<int> counts(3);
  for (const SimArrival& arrival : drawn) ++counts[size_t(arrival.row)];
  for (const int count : counts) CHECK(std::abs(count - 10000) < 300);  // over 3 deviations of 82
  CHECK(drawn.back().at_s == Approx(3000));
  const auto other = make_arrivals(source, {.num_requests = 30000, .rate = 10, .seed = 5});
  CHECK(drawn[7].at_s != other[7].at_s);
}
