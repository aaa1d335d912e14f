// Server-sent events, HTTP responses and the OpenAI API's events, cut anywhere.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "bench/serve/http_parser.h"
#include "bench/serve/openai.h"
#include "bench/serve/sse.h"

using namespace tern;
using namespace tern::bench;
using Catch::Contains;
using Events = std::vector<std::string>;

namespace {

Events events_of(const std::vector<std::string_view>& pieces) {
  Events events;
  SseParser parser;
  for (const std::string_view piece : pieces)
    REQUIRE(parser.feed(piece, [&](std::string_view data) { events.emplace_back(data); }).ok());
  return events;
}

struct Response {
  Status status;
  std::string body;
  bool is_complete = false, keeps_alive = false;
};

Response parse(const std::vector<std::string_view>& pieces, bool then_closed = false) {
  HttpResponseParser parser;
  Response out;
  for (const std::string_view piece : pieces) {
    out.status = parser.feed(piece, [&](std::string_view body) {
      out.body += body;
      return Status();
    });
    if (!out.status.ok()) return out;
  }
  out.is_complete = then_closed ? parser.finish() : parser.is_complete();
  out.keeps_alive = parser.keeps_alive();
  return out;
}

std::string parse_error(std::string_view text) {
  return parse({text}).status.message();
}

}  // namespace

TEST_CASE("events, whatever their pieces", "[bench][serve][sse]") {
  const std::string stream =
      ": a comment\r\n"
      "data: one\r\n\r\n"
      "event: x\r\ndata:two\r\ndata\r\ndata:  three\nid: 7\n\n"
      "retry: 5\r\r"
      "data: four\r\rdatax: no\n\n"
      "data: [DONE]\n\n"
      "data: unfinished\n";
  const Events expected = {"one", "two\n\n three", "four", "[DONE]"};
  CHECK(events_of({stream}) == expected);
  for (size_t i = 0; i <= stream.size(); ++i) {
    const std::string_view view = stream;
    CHECK(events_of({view.substr(0, i), view.substr(i)}) == expected);
    CHECK(events_of({view.substr(0, i), "", view.substr(i)}) == expected);
  }
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < stream.size(); ++i) bytes.push_back(std::string_view(stream).substr(i, 1));
  CHECK(events_of(bytes) == expected);
}

TEST_CASE("an event without end is refused", "[bench][serve][sse]") {
  SseParser parser;
  const std::string piece(1 << 20, 'x');
  Status status;
  for (int i = 0; i < 20 && status.ok(); ++i) status = parser.feed(piece, [](std::string_view) {});
  CHECK(status.code() == Code::kOutOfRange);
}

TEST_CASE("responses, whatever their pieces", "[bench][serve][http]") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  const std::string chunked = "HTTP/1.1 100 Continue\r\n\r\n" + head +
                              "Transfer-Encoding: chunked\r\n\r\n"
                              "5\r\nhello\r\nA;ext=1\r\n world\r\n12\r\n0\r\nTrailer: x\r\n\r\n";
  const std::string sized = head + "content-length: 12\r\n\r\nhello world!";
  for (const std::string& text : {chunked, sized}) {
    const std::string body = text == sized ? "hello world!" : "hello world\r\n12";
    for (size_t i = 0; i <= text.size(); ++i) {
      const std::string_view view = text;
      const Response r = parse({view.substr(0, i), view.substr(i)});
      REQUIRE(r.status.ok());
      CHECK(r.body == body);
      CHECK(r.is_complete);
      CHECK(r.keeps_alive);
      if (i < text.size()) CHECK_FALSE(parse({view.substr(0, i)}, true).is_complete);
    }
  }
  const Response until_close = parse({head + "\r\nhello"}, true);
  CHECK(until_close.is_complete);
  CHECK(until_close.body == "hello");
  CHECK_FALSE(until_close.keeps_alive);
  CHECK_FALSE(parse({head + "\r\nhello"}).is_complete);
  CHECK_FALSE(parse({head + "Connection: close\r\nContent-Length: 0\r\n\r\n"}).keeps_alive);
  CHECK_FALSE(parse({"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"}).keeps_alive);
  CHECK(parse({"HTTP/1.1 204 No Content\r\n\r\n"}).is_complete);
}

TEST_CASE("what is no HTTP is refused", "[bench][serve][http]") {
  CHECK_THAT(parse_error("SSH-2.0-x\r\n"), Contains("SSH-2.0-x"));
  CHECK_THAT(parse_error("HTTP/1.1 abc\r\n"), Contains("HTTP/1.1 abc"));
  CHECK_THAT(parse_error("HTTP/2 200\r\n"), Contains("HTTP/2"));
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  CHECK_THAT(parse_error(ok + "no colon\r\n"), Contains("no colon"));
  CHECK_THAT(parse_error(ok + "Content-Length: -1\r\n"), Contains("Content-Length: -1"));
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  CHECK_THAT(parse_error(chunked + "zz\r\n"), Contains("zz"));
  CHECK_THAT(parse_error(chunked + "ffffffffffffffffff\r\n"), Contains("chunk size"));
  CHECK_THAT(parse_error(chunked + "1\r\nab\r\n"), Contains("after a chunk"));
  CHECK_THAT(parse_error(ok + "Content-Length: 1\r\n\r\nab"), Contains("beyond its end"));
  CHECK(parse({ok + "X: " + std::string(20000, 'x')}).status.code() == Code::kOutOfRange);
  std::string many = ok;
  for (int i = 0; i < 100; ++i) many += "X: " + std::string(1000, 'x') + "\r\n";
  CHECK(parse({many}).status.code() == Code::kOutOfRange);
}

TEST_CASE("addresses of HTTP servers", "[bench][serve][http]") {
  const auto url = parse_http_url("http://localhost:8000/v1/");
  REQUIRE(url.ok());
  CHECK((url->host == "localhost" && url->port == "8000" && url->path.empty()));
  const auto prefixed = parse_http_url("http://[::1]:80/a/v1");
  REQUIRE(prefixed.ok());
  CHECK((prefixed->host == "[::1]" && prefixed->port == "80" && prefixed->path == "/a"));
  CHECK(parse_http_url("http://h")->port == "80");
  for (const char* bad :
       {"", "h:80", "https://h", "http://", "http://:80", "http://h:0", "http://h:99999",
        "http://h:x", "http://h:", "http://[::1:80", "http://h /x", "http://u@h"})
    CHECK_FALSE(parse_http_url(bad).ok());
}

TEST_CASE("what an event of the API says", "[bench][serve][openai]") {
  const auto has_output = [](const char* text) {
    const auto event = parse_openai_event(text);
    REQUIRE(event.ok());
    return event->has_output;
  };
  CHECK(has_output(R"({"choices":[{"text":"a","finish_reason":null}]})"));
  CHECK(has_output(R"({"choices":[{"text":"a","finish_reason":"stop"}]})"));
  CHECK(has_output(R"({"choices":[{"text":""}]})"));  // a token without text
  CHECK_FALSE(has_output(R"({"choices":[{"text":"","finish_reason":"length"}]})"));
  CHECK(has_output(R"({"choices":[{"delta":{"content":"a"}}]})"));
  CHECK(has_output(R"({"choices":[{"delta":{"reasoning_content":"a"}}]})"));
  CHECK(has_output(R"({"choices":[{"delta":{"tool_calls":[{"id":"x"}]}}]})"));
  CHECK_FALSE(has_output(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})"));
  CHECK_FALSE(has_output(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})"));
  CHECK_FALSE(has_output(R"({"choices":[],"usage":{"prompt_tokens":1}})"));
  CHECK_FALSE(has_output(R"({"choices":[1,null,"x"]})"));
  CHECK(parse_openai_event("[DONE]")->is_done);
  const auto usage = parse_openai_event(
      R"({"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":9,
          "prompt_tokens_details":{"cached_tokens":4}}})");
  CHECK((usage->prompt_tokens == 5 && usage->completion_tokens == 9 && usage->cached_tokens == 4));
  const auto error = parse_openai_event(R"({"error":{"message":"m","type":"t","code":500}})");
  CHECK((error->error_type == "t" && error->error_message == "m"));
  CHECK_FALSE(parse_openai_event("{").ok());
  CHECK_FALSE(parse_openai_event("[]").ok());
  CHECK_FALSE(parse_openai_event("\xff").ok());
}

TEST_CASE("errors and models of the API", "[bench][serve][openai]") {
  using Error = std::pair<std::string, std::string>;
  CHECK(parse_openai_error(R"({"error":{"message":"m","type":"t"}})") == Error{"t", "m"});
  CHECK(parse_openai_error(R"({"error":{"message":"m","code":"c"}})") == Error{"c", "m"});
  CHECK(parse_openai_error(R"({"error":"m"})") == Error{"", "m"});
  CHECK(parse_openai_error(R"({"object":"error","message":"m","code":400})") == Error{"400", "m"});
  CHECK(parse_openai_error("<html>") == Error{"", "<html>"});
  const auto facts = parse_openai_models(R"({"data":[{"id":"x","max_model_len":2048}]})");
  REQUIRE(facts.ok());
  CHECK((facts->model == "x" && facts->max_model_len == 2048));
  const auto llama =
      parse_openai_models(R"({"data":[{"id":"y","meta":{"n_ctx_train":512,"n_vocab":99}}]})");
  CHECK((llama->max_model_len == 512 && llama->vocab_size == 99));
  for (const char* bad : {"", "{}", R"({"data":[]})", R"({"data":[{}]})", R"({"data":[1]})"})
    CHECK_FALSE(parse_openai_models(bad).ok());
}

TEST_CASE("requests of the API", "[bench][serve][openai]") {
  const RequestSettings settings{.ignore_eos = true, .temperature = 0};
  const auto body = [&](const PlannedRequest& r, OpenAiEndpoint endpoint) {
    const auto text = to_openai_body(r, settings, endpoint, "m");
    REQUIRE(text.ok());
    return nlohmann::json::parse(*text);
  };
  const auto ids = body({.token_ids = {1, 2}, .max_tokens = 3}, OpenAiEndpoint::kCompletions);
  CHECK(ids["prompt"] == nlohmann::json({1, 2}));
  CHECK((ids["max_tokens"] == 3 && ids["stream"] == true && ids["ignore_eos"] == true));
  CHECK((ids["stream_options"]["include_usage"] == true && ids["temperature"] == 0));
  const auto chat = body({.text = "hi"}, OpenAiEndpoint::kChat);
  CHECK(chat["messages"][0]["content"] == "hi");
  CHECK_FALSE(to_openai_body({.token_ids = {1}}, settings, OpenAiEndpoint::kChat, "m").ok());
  CHECK_FALSE(
      to_openai_body({.messages = {{"user", "x"}}}, settings, OpenAiEndpoint::kCompletions, "m")
          .ok());
}
