// Lines of the log: whatever a message holds, it makes one line that its readers can read.
#include "base/log_format.h"

#include <spdlog/details/log_msg.h>

#include <catch2/catch.hpp>

#include "base/log_event.h"

using namespace tern;

namespace {

std::string line_of(LogFormat format, const std::string& payload,
                    spdlog::level::level_enum level = spdlog::level::info) {
  const spdlog::log_clock::time_point time{std::chrono::milliseconds(1'700'000'000'042)};
  const spdlog::details::log_msg message(time, {}, "tern", level, payload);
  spdlog::memory_buf_t out;
  make_line_formatter(format)->format(message, out);
  return {out.data(), out.size()};
}

const std::string kTime = "2023-11-14T22:13:20.042Z";

const LogEvent kEvent = LogEvent("request")
                            .text("id", "a b")
                            .text("empty", "")
                            .text_if_any("none", "")
                            .number("n", int64_t{-3})
                            .number("ms", 1.26, 1);

}  // namespace

TEST_CASE("an event in every format", "[log]") {
  CHECK(line_of(LogFormat::kText, kEvent.encoded()) ==
        kTime + " info request id=\"a b\" empty=\"\" n=-3 ms=1.3\n");
  CHECK(line_of(LogFormat::kLogfmt, kEvent.encoded()) ==
        "time=" + kTime + " level=info msg=request id=\"a b\" empty=\"\" n=-3 ms=1.3\n");
  CHECK(line_of(LogFormat::kJson, kEvent.encoded()) ==
        "{\"time\":\"" + kTime +
            "\",\"level\":\"info\",\"msg\":\"request\",\"id\":\"a b\",\"empty\":\"\",\"n\":-3,"
            "\"ms\":1.3}\n");
}

TEST_CASE("a plain message in every format", "[log]") {
  const std::string said = "loaded \"x\" = 1 \\ é";
  CHECK(line_of(LogFormat::kText, said, spdlog::level::warn) == kTime + " warning " + said + "\n");
  CHECK(line_of(LogFormat::kLogfmt, said) ==
        "time=" + kTime + " level=info msg=\"loaded \\\"x\\\" = 1 \\\\ é\"\n");
  CHECK(line_of(LogFormat::kJson, said) == "{\"time\":\"" + kTime +
                                               "\",\"level\":\"info\",\"msg\":\"loaded "
                                               "\\\"x\\\" = 1 \\\\ é\"}\n");
  CHECK(line_of(LogFormat::kText, "ready", kAlways) == kTime + " info ready\n");
}

TEST_CASE("no bytes make a second line, or speak to a terminal", "[log]") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  all +=
      "\xC2\x9B"
      "2J\xE2\x80\xA8\n2023-11-14T22:13:20.042Z info forged";
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson, LogFormat::kLogfmt}) {
    for (const std::string& payload :
         {LogEvent("request").text("id", all).encoded(), LogEvent(all).encoded(), "said " + all}) {
      const std::string line = line_of(format, payload);
      INFO(line);
      for (size_t i = 0; i + 1 < line.size(); ++i) {
        const auto c = static_cast<unsigned char>(line[i]);
        const bool continues = c == '\n' && line.substr(i + 1, 4) == "    ";
        CHECK(((c >= ' ' && c != 0x7F) || (continues && format == LogFormat::kText)));
        const bool is_c1 = c == 0xC2 && static_cast<unsigned char>(line[i + 1]) < 0xA0;
        CHECK(!is_c1);
      }
      CHECK(line.back() == '\n');
    }
  }
}

TEST_CASE("characters that end lines or turn their direction are escaped", "[log]") {
  const std::vector<std::pair<std::string, std::string>> escapes = {
      {"\xE2\x80\xA8", "\\u2028"}, {"\xE2\x80\xA9", "\\u2029"}, {"\xE2\x80\xAA", "\\u202a"},
      {"\xE2\x80\xAE", "\\u202e"}, {"\xE2\x81\xA6", "\\u2066"}, {"\xE2\x81\xA9", "\\u2069"},
      {"\xEF\xBB\xBF", "\\ufeff"}, {"\xC2\x85", "\\u0085"}};
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson, LogFormat::kLogfmt}) {
    for (const auto& [bytes, escape] : escapes) {
      for (const std::string& payload :
           {LogEvent("request").text("id", "a" + bytes + "b").encoded(), "said a" + bytes + "b"}) {
        const std::string line = line_of(format, payload);
        INFO(line);
        CHECK(line.find("a" + escape + "b") != std::string::npos);
        CHECK(line.find(bytes) == std::string::npos);
      }
    }
    // Their neighbours are text like any other.
    const std::string kept =
        "\xE2\x80\xA7 \xE2\x80\xAF \xE2\x81\xA5 \xE2\x81\xAA \xEF\xBC\xA1 \xE2\x82\xAC";
    CHECK(line_of(format, "said " + kept).find(kept) != std::string::npos);
  }
}

TEST_CASE("names of formats", "[log]") {
  CHECK(*parse_log_format("json") == LogFormat::kJson);
  CHECK(parse_log_format("xml").status().message() ==
        "log format 'xml': must be text, json or logfmt");
}
