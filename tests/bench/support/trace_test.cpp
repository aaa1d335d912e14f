#include "bench/support/trace.h"

#include <catch2/catch.hpp>

#include "tests/support/shared_data.h"

using namespace tern;
using namespace tern::bench;
using Catch::Contains;

namespace {

const std::string kAzure = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

std::string trace_error(const std::string& text) {
  const auto trace = parse_trace(text, "t");
  return trace.ok() ? "" : trace.status().message();
}

}  // namespace

TEST_CASE("Azure's trace", "[bench][support][trace]") {
  const auto trace = parse_trace(kAzure +
                                     "2023-11-16 18:15:46.6805900,374,44\r\n"
                                     "2023-11-16 18:15:50.9951690,396,109\n"
                                     "2023-11-17 00:00:00,1,0",
                                 "t");
  REQUIRE(trace.ok());
  REQUIRE(trace->size() == 3);
  CHECK((*trace)[0].at_s == 0);
  CHECK((*trace)[0].input_tokens == 374);
  CHECK((*trace)[1].at_s == Approx(4.314579).margin(1e-6));
  CHECK((*trace)[1].output_tokens == 109);
  CHECK((*trace)[2].at_s == Approx(20653.31941).margin(1e-5));  // the next day
  CHECK((*trace)[2].output_tokens == 1);                        // asks for none
}

TEST_CASE("Mooncake's trace, sorted by time", "[bench][support][trace]") {
  const auto trace = parse_trace(
      R"({"timestamp": 1500, "input_length": 7, "output_length": 5, "hash_ids": [3, 4]})"
      "\n\n"
      R"({"timestamp": 500, "input_length": 6, "output_length": 2})",
      "t");
  REQUIRE(trace.ok());
  REQUIRE(trace->size() == 2);
  CHECK((*trace)[0].input_tokens == 6);
  CHECK((*trace)[1].at_s == Approx(1.0));
  CHECK((*trace)[1].blocks == std::vector<uint64_t>{3, 4});
}

TEST_CASE("hostile traces are refused with their line", "[bench][support][trace]") {
  CHECK_THAT(trace_error(""), Contains("no requests"));
  CHECK_THAT(trace_error(kAzure), Contains("no requests"));
  CHECK_THAT(trace_error("a,b,c\n1,2,3"), Contains("t:1") && Contains("no trace"));
  const std::string good = "2023-11-16 18:15:46.68,374,44\n";
  for (const char* bad : {"2023-11-16 18:15:46.68,374", "2023-11-16 18:15:46.68,374,44,1",
                          "2023-11-16X18:15:46.68,374,44", "2023-13-16 18:15:46.68,374,44",
                          "2023-11-16 25:15:46.68,374,44", "2023-11-16 18:15:46.,374,44",
                          "2023-11-16 18:15:46.68,-1,44", "2023-11-16 18:15:46.68,3.5,44", ",,",
                          "2023-11-16 18:15:46.68,374,999999999999999999999",
                          "2023-11-16 18:15:46.68,,44", "2023-11-00 18:15:46.68,374,44",
                          "\xff\xfe,1,1", "2023-11-16 18:15:46.123456789012345678901,1,1"})
    CHECK_THAT(trace_error(kAzure + good + bad), Contains("t:3: "));
  const std::string row = R"({"timestamp": 1, "input_length": 2, "output_length": 3})";
  for (const char* bad :
       {"{", "[]", "1", R"({"timestamp": 1})",
        R"({"timestamp": -1, "input_length": 2, "output_length": 3})",
        R"({"timestamp": 1.5, "input_length": 2, "output_length": 3})",
        R"({"timestamp": 1, "input_length": "2", "output_length": 3})",
        R"({"timestamp": 1, "input_length": 1e300, "output_length": 3})",
        R"({"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": 1})",
        R"({"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": [-1]})"})
    CHECK_THAT(trace_error(row + "\n" + bad), Contains("t:2: "));
  CHECK(read_trace("/nonexistent/t").status().code() == Code::kNotFound);
}

TEST_CASE("the recorded traces are read whole", "[bench][support][trace]") {
  const std::pair<const char*, size_t> files[] = {
      {"data/traces/AzureLLMInferenceTrace_conv.csv", 19366},
      {"data/traces/AzureLLMInferenceTrace_code.csv", 8819},
      {"data/traces/mooncake_conversation_trace.jsonl", 12031}};
  for (const auto& [name, count] : files) {
    const auto path = tern::test::shared_data(name, "recorded traces");
    if (!path) return;
    const auto trace = read_trace(*path);
    REQUIRE(trace.ok());
    CHECK(trace->size() == count);
    CHECK(trace->back().at_s > 3000);
    CHECK(trace->back().at_s < 4000);  // each is an hour
  }
}
