// What scrapers and browsers get: the text format by its own rules, JSON, the page, the dashboard.
#include "server/metrics/observability.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "server/metrics/families.h"
#include "server/metrics/status_json.h"
#include "tests/server/metrics/sim_service.h"
#include "tests/support/source_dir.h"

using namespace tern;
using namespace tern::metrics;

namespace {

std::string read(const std::string& path) {
  std::ifstream in(source_path(path));
  REQUIRE(in);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// A serving simulated engine that has answered some requests.
struct Service {
  explicit Service(const MetricsOptions& options = {}) : observability(options, state) {
    state.set_engine(*engine);
    for (int i = 0; i < 5; ++i) answer(sim_request("hello " + std::to_string(i), 8));
    v1::GenerateRequest bad = sim_request("x", 8);
    bad.set_model("no\"such{model}\n");
    REQUIRE(CallClient::submit(std::make_shared<CallClient>(state), bad));
  }

  void answer(const v1::GenerateRequest& request) {
    const auto client = std::make_shared<CallClient>(state);
    REQUIRE_FALSE(CallClient::submit(client, request));
    REQUIRE_FALSE(client->wait());
  }

  std::string get(const std::string& path) const {
    for (const Observability::Route& route : observability.routes())
      if (route.path == path) return route.text();
    FAIL("no route " << path);
    return "";
  }

  std::unique_ptr<Engine> engine = start_sim();
  ServingState state{RequestLimits{}};
  Observability observability;
};

struct Scrape {
  std::map<std::string, std::string> types;  // by family
  std::map<std::string, double> samples;     // by "name{labels}"
  std::set<std::string> names;               // of samples
};

// By the rules of the text format 0.0.4; fails where one is broken.
Scrape parse(const std::string& text) {
  static const std::regex kComment(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*))");
  static const std::regex kSample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+))re");
  Scrape out;
  std::istringstream lines(text);
  std::string line, family;
  for (std::smatch m; std::getline(lines, line);) {
    INFO(line);
    if (line[0] == '#') {
      REQUIRE(std::regex_match(line, m, kComment));
      if (m[1] == "HELP") continue;
      family = m[2];
      REQUIRE(out.types.emplace(family, m[3]).second);  // each family once
      continue;
    }
    REQUIRE(std::regex_match(line, m, kSample));
    const std::string name = m[1];
    const std::string suffix = name.substr(std::min(family.size(), name.size()));
    REQUIRE(name.starts_with(family));
    if (out.types[family] == "histogram")
      REQUIRE((suffix == "_bucket" || suffix == "_sum" || suffix == "_count"));
    else
      REQUIRE(suffix.empty());
    if (out.types[family] == "counter") REQUIRE(name.ends_with("_total"));
    out.names.insert(name);
    REQUIRE(out.samples.emplace(name + m[2].str(), std::stod(m[3])).second);
  }
  return out;
}

}  // namespace

TEST_CASE("metrics keep the rules of the text format", "[metrics]") {
  Service service({.compat = "vllm"});
  const Scrape scrape = parse(service.get("/metrics"));
  CHECK(scrape.samples.at(
            "tern_requests_total{code=\"NOT_FOUND\",finish=\"refused\",class=\"default\"}") == 1);
  CHECK(scrape.samples.at("tern_requests_accepted_total") == 5);
  CHECK(scrape.samples.at("tern_requests_rejected_total{reason=\"MODEL_NOT_FOUND\"}") == 1);
  CHECK(scrape.samples.at("tern_e2e_request_latency_seconds_count") == 5);
  CHECK(scrape.samples.at("tern_e2e_request_latency_seconds_bucket{le=\"+Inf\"}") == 5);
  CHECK(scrape.samples.at("tern_prompt_tokens_total") == 35);
  CHECK(scrape.samples.at("tern_ready") == 1);
  CHECK(scrape.samples.at("tern_server_state{state=\"serving\"}") == 1);
  for (const char* other : {"loading", "draining", "stuck"})
    CHECK(scrape.samples.at("tern_server_state{state=\"" + std::string(other) + "\"}") == 0);
  CHECK(scrape.samples.at("tern_model_load_progress_ratio{stage=\"ready\"}") == 1);
  double num_ended = 0;
  for (const auto& [name, value] : scrape.samples)
    if (name.starts_with("tern_requests_total{") && name.find("\"refused\"") == std::string::npos)
      num_ended += value;
  CHECK(num_ended == 5);
}

TEST_CASE("the process is told as Prometheus' client libraries tell it", "[metrics]") {
  Service service;
  const Scrape scrape = parse(service.get("/metrics"));
  CHECK(scrape.types.at("process_cpu_seconds_total") == "counter");
  for (const char* gauge :
       {"process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds",
        "process_max_fds", "process_threads", "process_start_time_seconds"}) {
    CHECK(scrape.types.at(gauge) == "gauge");
    CHECK(scrape.samples.at(gauge) > 0);
  }
  CHECK(scrape.samples.at("process_open_fds") < scrape.samples.at("process_max_fds"));
  CHECK(scrape.samples.at("tern_memory_available_bytes") <=
        scrape.samples.at("tern_memory_limit_bytes"));
  // A change would mean a restart.
  const std::string start = "process_start_time_seconds";
  CHECK(parse(Service().get("/metrics")).samples.at(start) == scrape.samples.at(start));
}

TEST_CASE("the buckets of a histogram rise and end at its count", "[metrics]") {
  static constexpr double kBounds[] = {0.25, 1, 2560};
  Histogram h(kBounds);
  for (const double value : {0.125, 0.5, 0.75, 3000.0}) h.observe(value);
  Families families;
  families.histogram("x_seconds", "Help.", {{"phase", "a"}}, h);
  const Scrape scrape = parse(families.text());
  CHECK(scrape.samples.at("x_seconds_bucket{phase=\"a\",le=\"0.25\"}") == 1);
  CHECK(scrape.samples.at("x_seconds_bucket{phase=\"a\",le=\"1\"}") == 3);
  CHECK(scrape.samples.at("x_seconds_bucket{phase=\"a\",le=\"2560\"}") == 3);
  CHECK(scrape.samples.at("x_seconds_bucket{phase=\"a\",le=\"+Inf\"}") == 4);
  CHECK(scrape.samples.at("x_seconds_count{phase=\"a\"}") == 4);
  CHECK(scrape.samples.at("x_seconds_sum{phase=\"a\"}") == 3001.375);
}

TEST_CASE("label values are escaped", "[metrics]") {
  Families families;
  families.gauge("x", "Help.", {{"model", "a\"b\\c\nd"}}, 1);
  CHECK(parse(families.text()).samples.count("x{model=\"a\\\"b\\\\c\\nd\"}") == 1);
}

TEST_CASE("what clients send is no label", "[metrics]") {
  Service service({.compat = "vllm"});
  const size_t before = parse(service.get("/metrics")).samples.size();
  for (int i = 0; i < 50; ++i) {
    v1::GenerateRequest hostile = sim_request("x", 8);
    hostile.set_model("model-" + std::to_string(i));
    REQUIRE(CallClient::submit(std::make_shared<CallClient>(service.state), hostile));
    hostile.clear_model();
    hostile.set_request_id("\"},evil{id=\"" + std::to_string(i));
    service.answer(hostile);
    Call(service.state, Transport::kGrpc)
        .refuse({.code = Code::kNotFound, .reason = "EVIL_" + std::to_string(i)});
  }
  const std::string text = service.get("/metrics");
  CHECK(parse(text).samples.size() <= before + 1);  // an answer may end in one more way
  CHECK(text.find("evil") == std::string::npos);
  CHECK(text.find("EVIL") == std::string::npos);
  CHECK(text.find("model-") == std::string::npos);
  CHECK(parse(text).samples.at("tern_requests_rejected_total{reason=\"other\"}") == 50);
}

TEST_CASE("vLLM's names are there where they are asked for", "[metrics]") {
  CHECK(Service().get("/metrics").find("vllm:") == std::string::npos);
  const Scrape scrape = parse(Service({.compat = "vllm"}).get("/metrics"));
  for (const char* name : {"num_requests_running",
                           "num_requests_waiting",
                           "kv_cache_usage_perc",
                           "prefix_cache_queries_total",
                           "prefix_cache_hits_total",
                           "num_preemptions_total",
                           "prompt_tokens_total",
                           "generation_tokens_total",
                           "request_success_total",
                           "iteration_tokens_total_count",
                           "time_to_first_token_seconds_bucket",
                           "inter_token_latency_seconds_sum",
                           "request_time_per_output_token_seconds_count",
                           "e2e_request_latency_seconds_bucket",
                           "request_queue_time_seconds_bucket",
                           "request_prefill_time_seconds_bucket",
                           "request_decode_time_seconds_bucket",
                           "request_inference_time_seconds_bucket",
                           "request_prompt_tokens_bucket",
                           "request_generation_tokens_bucket",
                           "request_params_n_bucket",
                           "request_params_max_tokens_bucket",
                           "cache_config_info",
                           "engine_healthy"})
    CHECK(scrape.names.contains(std::string("vllm:") + name));
  double num_success = 0;
  for (const auto& [name, value] : scrape.samples)
    if (name.starts_with("vllm:request_success_total{")) {
      CHECK(name.find("model_name=\"simulated\",engine=\"0\"") != std::string::npos);
      num_success += value;
    }
  CHECK(num_success == 5);
}

TEST_CASE("before a model is loaded the load is told", "[metrics]") {
  ServingState state{RequestLimits{}};
  Observability observability({.compat = "vllm"}, state);
  state.set_load_progress("weights", 0.25);
  const auto text = [&](size_t route) { return observability.routes().at(route).text(); };
  const Scrape scrape = parse(text(0));
  CHECK(scrape.samples.at("tern_ready") == 0);
  CHECK(scrape.samples.at("tern_model_load_progress_ratio{stage=\"weights\"}") == 0.25);
  CHECK(scrape.samples.at("tern_server_state{state=\"loading\"}") == 1);
  const auto status = nlohmann::json::parse(text(1));
  CHECK(status["state"] == "loading");
  CHECK(status["process"]["resident_bytes"] > 0);
  CHECK(status["load"]["fraction"] == 0.25);
  CHECK_FALSE(status.contains("model"));
}

TEST_CASE("the status holds what the page shows", "[metrics]") {
  Service service;
  const auto client = std::make_shared<CallClient>(service.state);
  v1::GenerateRequest endless = sim_request("still going", 1000);
  endless.set_request_id("<b>&\"'");
  endless.mutable_sampling()->mutable_stopping()->set_ignore_eos(true);
  REQUIRE_FALSE(CallClient::submit(client, endless));
  const auto status = nlohmann::json::parse(service.get("/status.json"));
  client->call().cancel();
  CHECK(client->wait());

  CHECK(status["state"] == "serving");
  CHECK(status["model"]["name"] == "simulated");
  CHECK(status["num_accepted"] == 6);
  CHECK(status["num_ended"] == 5);
  CHECK(status["num_refused"] == 1);
  CHECK(status["last_minute"]["ended"] == 5);
  CHECK(status["last_minute"]["failed"] == 0);
  CHECK(status["last_minute"]["refused"] == 1);
  CHECK(status["last_minute"]["prompt_tokens"] == 35);
  CHECK(status["refusals"] == nlohmann::json::parse(R"([{"reason": "MODEL_NOT_FOUND",
                                                         "last_minute": 1, "total": 1}])"));
  const auto& latency = status["last_minute"]["latency"];
  CHECK(latency["ttft_seconds"]["p50"] > 0);
  CHECK(latency["e2e_seconds"]["p50"] <= latency["e2e_seconds"]["p99"]);
  CHECK_FALSE(status["host"].get<std::string>().empty());
  CHECK(status["process"]["threads"] >= 1);
  REQUIRE(status["requests"].size() == 1);
  CHECK(status["requests"][0]["id"] == "<b>&\"'");
  CHECK(status["requests"][0]["prompt_tokens"] == 11);
  REQUIRE(status["recent"].size() == 6);
  CHECK(status["recent"][0]["reason"] == "MODEL_NOT_FOUND");
  CHECK(status["recent"][0]["outcome"] == "refused");
  CHECK(status["recent"][1]["outcome"] == "ok");

  const auto after = nlohmann::json::parse(service.get("/status.json"));
  CHECK(after["num_live"] == 0);
  CHECK(after["recent"][0]["reason"] == "CLIENT_CANCELLED");
  CHECK(after["recent"][0]["outcome"] == "cancelled");
  CHECK(after["num_cancelled"] == 1);
  CHECK(after["num_failed"] == 0);
  CHECK(after["engine"]["steps"] >= status["engine"]["steps"]);  // its last step may be counted
}

TEST_CASE("the history is told oldest first", "[metrics]") {
  const auto history = nlohmann::json::parse(
      history_json({{.queued = 1, .kv_usage = 0.25}, {.queued = 2, .tokens_per_second = 7}}));
  CHECK(history["queued"] == nlohmann::json{1, 2});
  CHECK(history["kv_usage"] == nlohmann::json{0.25, 0.0});
  CHECK(history["tokens_per_second"] == nlohmann::json{0.0, 7.0});
}

TEST_CASE("the page needs nothing from elsewhere and makes no HTML of data", "[metrics]") {
  const std::string page(status_page()), style(status_page_style()), script(status_page_script());
  CHECK(page == read("server/metrics/status_page.html"));
  CHECK(style == read("server/metrics/status_page.css"));
  CHECK(script == read("server/metrics/status_page.js"));
  const std::string all = page + style + script;
  for (const char* word : {"@import", "url(", "innerHTML", "outerHTML", "insertAdjacentHTML",
                           "document.write", "eval(", "https:", "\"//"})
    CHECK(all.find(word) == std::string::npos);
  CHECK(page.find("name=\"viewport\"") != std::string::npos);
  // The browser is told to take scripts and styles from this server's files alone.
  CHECK(page.find("Content-Security-Policy\" content=\"default-src 'none'; script-src 'self'; "
                  "style-src 'self'; connect-src 'self'") != std::string::npos);
  for (const char* inline_code : {"<style", "<script>", " style=", " onclick=", " onload="})
    CHECK(page.find(inline_code) == std::string::npos);
}

TEST_CASE("each element that the page's script fills is there", "[metrics]") {
  const std::string page(status_page()), script(status_page_script());
  static const std::regex kId(R"re((?:\$|big|bar|text|table|sparkline)\("([a-z_-]+)")re");
  int num_ids = 0;
  for (std::sregex_iterator m(script.begin(), script.end(), kId), end; m != end; ++m, ++num_ids) {
    INFO(m->str());
    CHECK(page.find("id=\"" + (*m)[1].str() + "\"") != std::string::npos);
  }
  CHECK(num_ids > 30);
}

TEST_CASE("every metric of the dashboard exists", "[metrics]") {
  Service service;
  const Scrape scrape = parse(service.get("/metrics"));
  const auto dashboard = nlohmann::json::parse(read("deploy/grafana/tern.json"));
  static const std::regex kName("(tern|process)_[a-z0-9_]+");
  std::set<int> ids;
  int num_names = 0;
  for (const auto& panel : dashboard["panels"]) {
    CHECK(ids.insert(panel["id"].get<int>()).second);
    for (const auto& target : panel.value("targets", nlohmann::json::array())) {
      const std::string expr = target["expr"];
      for (std::sregex_iterator m(expr.begin(), expr.end(), kName), end; m != end; ++m) {
        INFO(m->str() << " of panel " << panel["title"]);
        CHECK(scrape.names.contains(m->str()));
        ++num_names;
      }
    }
  }
  CHECK(num_names > 20);
}

TEST_CASE("every metric is in the docs, and nothing else", "[metrics]") {
  Service service({.compat = "vllm"});
  const Scrape scrape = parse(service.get("/metrics"));
  const std::string docs = read("docs/observability.md");
  for (const auto& [family, type] : scrape.types) {
    INFO(family);
    CHECK(docs.find("`" + family + "`") != std::string::npos);
  }
  static const std::regex kName("`((tern_|process_|vllm:)[a-z0-9_]+)`");
  for (std::sregex_iterator m(docs.begin(), docs.end(), kName), end; m != end; ++m) {
    INFO(m->str());
    // Where nothing limits it, and without a ranker (e2e: serving has one), these are not told.
    static const std::set<std::string> kNotAlways = {
        "process_virtual_memory_max_bytes", "tern_ranker_answers_total", "tern_ranker_tau"};
    if (!kNotAlways.contains((*m)[1])) CHECK(scrape.types.count((*m)[1]) == 1);
  }
}
