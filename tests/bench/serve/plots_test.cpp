#include "bench/serve/plots.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

#include "bench/serve/report.h"
#include "bench/support/output_file.h"
#include "bench/support/svg_chart.h"
#include "tests/support/temp_dir.h"

using namespace tern;
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
  const ServiceLevel slo{.ttft_s = 0.09, .tpot_s = 0.2, .e2el_s = 60};
  CHECK(xml_error(latency_svg({{title}}, rows)) == std::nullopt);
  CHECK(xml_error(latency_svg({{title}, slo}, rows)) == std::nullopt);
  CHECK(xml_error(timeline_svg({{title}}, rows)) == std::nullopt);
  for (int i = 0; i < 5000; ++i) rows.push_back(record(i * 0.01, i * 0.01 + 0.1, i * 0.01 + 1, 5));
  rows.push_back({.sent_s = 1, .end_s = 2, .outcome = Outcome::kFailed});
  rows.push_back(record(0, 0, 0, 1));
  for (const std::string& svg :
       {latency_svg({{title, title}, slo}, rows), timeline_svg({{title}, slo, 51}, rows)}) {
    CHECK(xml_error(svg) == std::nullopt);
    CHECK_THAT(svg, Contains("a &lt;b&gt; &amp; &quot;c&quot;   é"));
    CHECK_THAT(svg, !Contains("nan") && !Contains("inf\""));
    CHECK(svg.find("http", svg.find("xmlns") + 40) == std::string::npos);  // nothing from outside
    CHECK(svg.size() < 300'000);                                           // thinned
  }
}

TEST_CASE("points stand where their values are", "[bench][serve][plots]") {
  const std::string svg =
      render_svg({""}, {{.series = {{.points = {{0, 0}, {5, 1}, {10, 4}}}}, .y_max = 4}});
  // 670 pixels for 0 to 10, 175 for 0 to 4, from (70, 70) on.
  CHECK_THAT(svg, Contains("d=\"M70.0 245.0L405.0 201.2L740.0 70.0\""));
  const std::string stepped = render_svg(
      {""}, {{.series = {{.points = {{0, 0}, {10, 4}}, .is_stepped = true}}, .y_max = 4}});
  CHECK_THAT(stepped, Contains("d=\"M70.0 245.0H740.0V70.0\""));
}

TEST_CASE("nothing is sent after the last sending", "[bench][serve][plots]") {
  // One request in the first second of four: 1 down to 0 at 1, on to 4 (670 pixels).
  const std::string svg = timeline_svg({{""}, {}, 4}, {record(0, 0.5, 3.5, 2)});
  CHECK_THAT(svg, Contains("d=\"M70.0 70.0H237.5V245.0H405.0V245.0H572.5V245.0H740.0V245.0\""));
}

TEST_CASE("what is counted has whole ticks", "[bench][serve][plots]") {
  const ChartPanel panel{.series = {{.points = {{0, 0}, {10, 3}}}}, .counts_y = true};
  const std::string svg = render_svg({""}, {panel});
  for (const char* tick : {">0<", ">1<", ">2<", ">3<"}) CHECK_THAT(svg, Contains(tick));
  CHECK_THAT(svg, !Contains(">0.5<") && !Contains(">2.5<"));
  ChartPanel measured = panel;
  measured.counts_y = false;
  CHECK_THAT(render_svg({""}, {measured}), Contains(">2.5<"));
  // The axis ends at a tick, above the data, and numbers have no exponents.
  ChartPanel large = panel;
  large.series[0].points[1].second = 12'345'678;
  CHECK_THAT(render_svg({""}, {large}), Contains(">14000000<"));
}

TEST_CASE("latencies show their percentiles and the limit they were to keep",
          "[bench][serve][plots]") {
  std::vector<RequestRecord> rows;
  for (int i = 1; i <= 101; ++i) rows.push_back(record(0, 0.001 * i, 0.5 + 0.001 * i, 2));
  const std::string svg = latency_svg({{""}, {.ttft_s = 0.0805, .e2el_s = 7}}, rows);
  for (const char* mark : {"p50 51.0 ms", "p90 91.0 ms", "p99 100 ms"})
    CHECK_THAT(svg, Contains(mark));
  CHECK_THAT(svg, Contains("SLO 80.5 ms, kept by 79.2 %"));
  // 670 pixels for 0 to 101 ms, from 70 on.
  CHECK_THAT(svg, Contains("class=\"limit\" d=\"M604.0 245.0V70.0\""));
  // Far beyond the data: told, not drawn.
  CHECK_THAT(svg, Contains("SLO 7.00 s, kept by 100.0 %"));
  CHECK(svg.find("class=\"limit\"") == svg.rfind("class=\"limit\""));
  for (RequestRecord& row : rows) row.end_s += 20;
  CHECK_THAT(latency_svg({{""}, {.e2el_s = 21}}, rows),
             Contains("p50 20.6 s") && Contains("SLO 21.0 s"));
  CHECK_THAT(latency_svg({{""}, {.ttft_s = 1}}, {}),
             Contains("no values") && Contains("SLO 1.00 s<"));
}

TEST_CASE("a run is told in three lines", "[bench][serve][plots]") {
  RunInfo info{.date = "20261127-101500",
               .backend = "tern.v1",
               .endpoint = "127.0.0.1:50051",
               .model = "m",
               .source = "random",
               .request_rate = 4,
               .num_prompts = 200};
  CHECK(heading(info) ==
        std::vector<std::string>{"m", "m at 127.0.0.1:50051 (tern.v1)",
                                 "4 requests/s · 200 random requests · 2026-11-27 10:15:00"});
  info.policy_label = "fcfs";
  info.max_concurrency = 8;
  info.burstiness = 0.5;
  info.interrupted = true;
  CHECK(heading(info)[0] == "fcfs");
  CHECK(heading(info)[2] ==
        "4 requests/s, burstiness 0.5, at most 8 at a time · 200 random requests · "
        "2026-11-27 10:15:00 · interrupted");
  info.request_rate = INFINITY;
  CHECK_THAT(heading(info)[2], Catch::StartsWith("8 at a time · "));
  info.max_concurrency = 0;
  CHECK_THAT(heading(info)[2], Catch::StartsWith("all at once · "));
}

TEST_CASE("where results cannot be written is known before the run", "[bench][serve][plots]") {
  const test::TempDir dir;
  const std::string file = dir.write("file", "kept");
  for (const std::string& bad : {std::string("/proc/no/such"), file, file + "/below"}) {
    const auto status = prepare_plots(bad);
    CHECK_FALSE(status.ok());
    CHECK_THAT(status.message(), Contains(bad));
  }
  CHECK(prepare_plots(dir.path() + "/a/b").ok());
  CHECK(std::filesystem::is_empty(dir.path() + "/a/b"));
  CHECK(write_plots(dir.path() + "/a/b", {{"t"}}, {}).ok());
  CHECK(prepare_plots(dir.path() + "/a/b").ok());
  std::filesystem::create_directories(dir.path() + "/c/timeline.svg");
  CHECK_THAT(prepare_plots(dir.path() + "/c").message(), Contains("/c/timeline.svg"));

  for (const std::string& bad : {dir.path(), dir.path() + "/none/file", file + "/x", std::string()})
    CHECK_THAT(check_writable(bad).message(), Contains("cannot write " + bad));
  CHECK(check_writable(file).ok());
  CHECK(std::filesystem::file_size(file) == 4);
  CHECK(check_writable("/dev/null").ok());
  CHECK(check_writable(dir.path() + "/new").ok());
  CHECK_FALSE(std::filesystem::exists(dir.path() + "/new"));
  std::filesystem::create_symlink("new", dir.path() + "/link");
  CHECK(check_writable(dir.path() + "/link").ok());
  CHECK(std::filesystem::is_symlink(dir.path() + "/link"));
}

TEST_CASE("a logarithmic axis has powers of ten, at equal distances", "[bench][support][plots]") {
  const ChartPanel panel{.series = {{.points = {{0.1, 0}, {1, 0.5}, {100, 1}}}}, .log_x = true};
  const std::string svg = render_svg({}, {panel});
  for (const char* tick : {">0.1<", ">1<", ">10<", ">100<"}) CHECK_THAT(svg, Contains(tick));
  // 670 wide from 70 on, three decades: the second point stands a third of the way.
  CHECK_THAT(svg, Contains("d=\"M70.0 ") && Contains("L293.3 ") && Contains("L740.0 "));
}

TEST_CASE("many series have names in several lines, and lines of their own",
          "[bench][support][plots]") {
  ChartPanel panel;
  for (int i = 0; i < 12; ++i)
    panel.series.push_back({.name = "series" + std::to_string(i), .points = {{0, 0}, {1, i}}});
  const std::string svg = render_svg({}, {panel});
  std::set<std::string> strokes;
  for (size_t at = 0; (at = svg.find("<path class=\"line\" ", at)) != svg.npos; ++at) {
    const size_t begin = at + 19, end = svg.find(" d=\"", begin);
    if (svg.find("h18", end) == svg.find("\"/>", end) - 3)
      strokes.insert(svg.substr(begin, end - begin));
  }
  CHECK(strokes.size() == 12);
  CHECK_THAT(svg, Contains("series11<"));
  CHECK_THAT(svg, Contains("height=\"320\""));  // 260, 30 of the title, two lines more of names
}

TEST_CASE("an upright axis may be logarithmic, and one along the bottom begin later",
          "[bench][support][plots]") {
  const ChartPanel panel{
      .series = {{.points = {{0.7, 0.3}, {1.1, 2}, {1.5, 20}}}}, .x_from = 0.7, .log_y = true};
  const std::string svg = render_svg({}, {panel});
  for (const char* tick : {">0.2<", ">0.5<", ">1<", ">10<", ">20<", ">0.7<", ">1.5<"})
    CHECK_THAT(svg, Contains(tick));
  for (const char* none : {">0<", ">0.6<", ">0.1<", ">50<"}) CHECK_THAT(svg, !Contains(none));
  // From 0.2 to 20 are two decades, 175 high from 70 on: the second point is in the middle.
  CHECK_THAT(svg, Contains("L405.0 157.5") && Contains("L740.0 70.0"));
}
