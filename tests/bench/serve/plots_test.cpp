#include "bench/serve/plots.h"

#include <catch2/catch.hpp>
#include <optional>

#include "bench/serve/svg_chart.h"

using namespace tern::bench;
using Catch::Contains;

namespace {

// Why `text` is not well-formed XML, of the kind that has no CDATA, DTD or entities of its own.
std::optional<std::string> xml_error(std::string_view text) {
  std::vector<std::string> open;
  bool had_root = false;
  while (!text.empty()) {
    if (text[0] == '&') {
      bool known = false;
      for (const char* entity : {"&amp;", "&lt;", "&gt;", "&quot;"})
        known |= text.starts_with(entity);
      if (!known) return "bare &";
    }
    if (text[0] != '<') {
      if (open.empty() && text[0] != '\n') return "text outside the root";
      if (text[0] == '>') return "bare >";
      text.remove_prefix(1);
      continue;
    }
    size_t end = 1;
    for (bool quoted = false; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '"') quoted = !quoted;
      if (text[end] == '<') return "< in a tag";
    }
    if (end == text.size()) return "a tag does not end";
    std::string tag(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    const std::string name =
        tag.substr(tag[0] == '/', tag.find_first_of(" /", 1) - (tag[0] == '/'));
    if (tag[0] == '?') continue;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != name) return "unbalanced " + name;
      open.pop_back();
    } else if (open.empty() && std::exchange(had_root, true)) {
      return "two roots";
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
  }
  return open.empty() && had_root ? std::nullopt : std::optional<std::string>("something is open");
}

RequestRecord record(double begin, double first, double end, int tokens) {
  RequestRecord r{.sent_s = begin, .begin_s = begin, .end_s = end};
  r.chunks = {{first, 1}, {end, tokens - 1}};
  r.output_tokens = tokens;
  r.outcome = Outcome::kCompleted;
  return r;
}

}  // namespace

TEST_CASE("the checker of this test finds what is not XML", "[bench][serve][plots]") {
  CHECK_FALSE(xml_error("<a b=\"<>\"/>") == std::nullopt);
  CHECK(xml_error("<?xml?>\n<a><b c=\"d\"/>x &amp; y</a>\n") == std::nullopt);
  for (const char* bad : {"<a>", "<a></b>", "<a/><b/>", "<a>&</a>", "x<a/>", "<a b=\"></a>", ""})
    CHECK(xml_error(bad));
}

TEST_CASE("plots are well-formed, whatever is in them", "[bench][serve][plots]") {
  const std::string title = "a <b> & \"c\" \x01 é";
  std::vector<RequestRecord> rows;
  CHECK(xml_error(latency_svg(title, rows)) == std::nullopt);
  CHECK(xml_error(timeline_svg(title, rows, 0)) == std::nullopt);
  for (int i = 0; i < 5000; ++i) rows.push_back(record(i * 0.01, i * 0.01 + 0.1, i * 0.01 + 1, 5));
  rows.push_back({.sent_s = 1, .end_s = 2, .outcome = Outcome::kFailed});
  rows.push_back(record(0, 0, 0, 1));
  for (const std::string& svg : {latency_svg(title, rows), timeline_svg(title, rows, 51)}) {
    CHECK(xml_error(svg) == std::nullopt);
    CHECK_THAT(svg, Contains("a &lt;b&gt; &amp; &quot;c&quot;   é"));
    CHECK_THAT(svg, !Contains("nan") && !Contains("inf\""));
    CHECK(svg.find("http", svg.find("xmlns") + 40) == std::string::npos);  // nothing from outside
    CHECK(svg.size() < 300'000);                                           // thinned
  }
}

TEST_CASE("points stand where their values are", "[bench][serve][plots]") {
  const std::string svg =
      render_svg("", {{.series = {{.points = {{0, 0}, {5, 1}, {10, 4}}}}, .y_max = 4}});
  // 670 pixels for 0 to 10, 175 for 0 to 4, from (70, 70) on.
  CHECK_THAT(svg, Contains("d=\"M70.0 245.0L405.0 201.2L740.0 70.0\""));
  const std::string stepped =
      render_svg("", {{.series = {{.points = {{0, 0}, {10, 4}}, .is_stepped = true}}, .y_max = 4}});
  CHECK_THAT(stepped, Contains("d=\"M70.0 245.0H740.0V70.0\""));
}

TEST_CASE("nothing is sent after the last sending", "[bench][serve][plots]") {
  // One request in the first second of four: 1 down to 0 at 1, on to 4 (670 pixels).
  const std::string svg = timeline_svg("", {record(0, 0.5, 3.5, 2)}, 4);
  CHECK_THAT(svg, Contains("d=\"M70.0 70.0H237.5V245.0H405.0V245.0H572.5V245.0H740.0V245.0\""));
}

TEST_CASE("a folder that cannot be made is named", "[bench][serve][plots]") {
  const auto status = write_plots("/proc/no/such", "t", {}, 0);
  CHECK_FALSE(status.ok());
  CHECK_THAT(status.message(), Contains("/proc/no/such"));
}
