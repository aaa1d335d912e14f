// The line a finished request leaves in the log.
#include <spdlog/sinks/ostream_sink.h>

#include <catch2/catch.hpp>
#include <sstream>

#include "base/log_format.h"
#include "tests/server/metrics/sim_service.h"

using namespace tern;

namespace {

// The log's lines while `text` is answered.
std::string log_of(const std::string& text, bool log_prompts) {
  const auto engine = start_sim();
  std::ostringstream lines;
  const auto before = spdlog::default_logger();
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(lines);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("", sink));
  sink->set_formatter(make_line_formatter(LogFormat::kText));
  ServingState state{RequestLimits{}};
  state.log_prompts = log_prompts;
  state.set_engine(*engine);
  const auto client = std::make_shared<CallClient>(state, Transport::kHttp);
  v1::GenerateRequest request = sim_request(text, 2);
  request.mutable_scheduling()->set_priority(v1::PRIORITY_CLASS_BULK);
  CHECK_FALSE(CallClient::submit(client, request));
  CHECK_FALSE(client->wait());
  spdlog::set_default_logger(before);
  return lines.str();
}

}  // namespace

TEST_CASE("a request leaves one line, without its prompt", "[log]") {
  const std::string lines = log_of("a secret", false);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 1);
  CHECK(lines.find(" class=bulk transport=http prompt_tokens=8 ") != std::string::npos);
  CHECK(lines.find("secret") == std::string::npos);
  CHECK(lines.find("prompt=") == std::string::npos);
}

TEST_CASE("prompts in the log are escaped and cut", "[log]") {
  const std::string quotes = log_of("say \"hi\"\nrequest id=forged", true);
  CHECK(quotes.find(R"( prompt="say \"hi\"\nrequest id=forged")") != std::string::npos);
  CHECK(std::count(quotes.begin(), quotes.end(), '\n') == 1);

  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "\u00fc";
  const std::string cut = log_of(umlauts, true);
  CHECK(cut.find("prompt=\"" + umlauts.substr(0, 2 * 200) + "\"") != std::string::npos);
}
