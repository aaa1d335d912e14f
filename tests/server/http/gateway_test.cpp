// The gateway over real sockets: routes, limits, clients that leave, stall or never speak.
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/server/http/http_wire.h"
#include "tests/support/eventually.h"

using namespace tern;

namespace {

const std::string kPrompt = R"({"prompt": "hi", "max_tokens": 3})";
const std::string kEndless = R"({"prompt": "hi", "stream": true})";

Json error_of(const httplib::Response& response, int status) {
  CHECK(response.status == status);
  CHECK(response.get_header_value("Content-Type") == "application/json");
  const Json body = Json::parse(response.body, nullptr, false);
  REQUIRE(body.is_object());
  CHECK(body.at("error").at("message").get<std::string>() != "");
  for (const char* key : {"type", "param", "code"}) CHECK(body["error"].contains(key));
  return body["error"];
}

}  // namespace

TEST_CASE("models, version, health", "[http]") {
  HttpWire wire;
  const Json models = Json::parse(wire.get("/v1/models").body);
  CHECK(models["object"] == "list");
  CHECK(models["data"][0]["id"] == "fake");
  CHECK(models["data"][0]["max_model_len"] == 4096);
  CHECK(Json::parse(wire.get("/v1/models/fake").body) == models["data"][0]);
  const Json error = error_of(wire.get("/v1/models/other"), 404);
  CHECK(error["code"] == "model_not_found");
  CHECK(error["param"] == "model");
  CHECK(Json::parse(wire.get("/version").body)["version"] == TERN_VERSION);
  CHECK(wire.get("/health").status == 200);
  CHECK(wire.get("/health/live").status == 200);
}

TEST_CASE("probes under the names that others give them, and slashes at the end", "[http]") {
  HttpWire wire;
  for (const char* path : {"/healthz", "/ready", "/readyz", "/ping", "/health/", "/ping/"})
    CHECK(wire.get(path).body == wire.get("/health").body);
  CHECK(wire.get("/livez").body == wire.get("/health/live").body);
  CHECK(wire.get("/v1/models/").body == wire.get("/v1/models").body);
  CHECK(wire.get("/v1/models/fake/").body == wire.get("/v1/models/fake").body);
  CHECK(wire.get("/version//").status == 200);
  CHECK(wire.post("/v1/completions/", kPrompt).status == 200);
  CHECK(wire.post("/v1/chat/completions/", R"({"messages": [{"role": "user", "content": "x"}]})")
            .status == 200);
  CHECK(error_of(wire.get("/v1/completions/"), 405)["code"] == "METHOD_NOT_ALLOWED");
  CHECK(error_of(wire.get("/v1/nothing/"), 404)["code"] == "NO_SUCH_ROUTE");
  wire.state.start_draining();
  for (const char* path : {"/healthz", "/ready", "/readyz", "/ping"})
    CHECK(wire.get(path).status == 503);
  CHECK(wire.get("/livez").status == 200);
}

TEST_CASE("unknown fields are refused, or passed over and named, as configured", "[http]") {
  const std::string chat =
      R"({"messages": [{"role": "user", "content": "x", "b": 1}], "a\r\nSet-Cookie": {"c": 1},
          "stream": STREAM})";
  const auto body = [&](const std::string& text, const std::string& stream) {
    std::string out = text;
    return out.replace(out.find("STREAM"), 6, stream);
  };
  HttpWire strict;
  CHECK(error_of(strict.post("/v1/chat/completions", body(chat, "false")), 400)["param"] ==
        "messages[0].b");
  CHECK(error_of(strict.post("/tokenize", R"({"prompt": "x", "q": 1})"), 400)["param"] == "q");

  http::GatewayOptions options = any_http_port();
  options.unknown_fields = "warn";
  HttpWire lenient(options);
  const auto ignored = [](const httplib::Response& response) {
    CHECK(response.status == 200);
    return response.get_header_value("X-Tern-Ignored-Fields");
  };
  for (const char* stream : {"false", "true"})
    CHECK(ignored(lenient.post("/v1/chat/completions", body(chat, stream))) ==
          "messages[0].b, a??Set-Cookie");
  CHECK(ignored(lenient.post("/v1/completions", R"({"prompt": "x", "q": 1})")) == "q");
  CHECK(ignored(lenient.post("/tokenize", R"({"prompt": "x", "q": 1})")) == "q");
  CHECK(ignored(lenient.post("/detokenize", R"({"tokens": [1], "q": 1})")) == "q");
  CHECK_FALSE(lenient.post("/v1/completions", kPrompt).has_header("X-Tern-Ignored-Fields"));
  // What asks for a missing feature, and mistakes, are no unknown fields.
  error_of(lenient.post("/v1/completions", R"({"prompt": "x", "guided_regex": "a"})"), 400);
  error_of(lenient.post("/v1/completions", R"({"prompt": "x", "temperature": "hot"})"), 400);
}

TEST_CASE("unknown routes and wrong methods", "[http]") {
  HttpWire wire;
  CHECK(error_of(wire.get("/v2/models"), 404)["code"] == "NO_SUCH_ROUTE");
  error_of(wire.post("/v1/nothing", "{}"), 404);
  const httplib::Response get = wire.get("/v1/completions");
  CHECK(error_of(get, 405)["code"] == "METHOD_NOT_ALLOWED");
  CHECK(get.get_header_value("Allow") == "POST");
  error_of(wire.post("/health", "{}"), 405);
  error_of(HttpWire::take(wire.client().Delete("/v1/models/fake")), 405);
  error_of(HttpWire::take(wire.client().Put("/v1/completions", kPrompt, "application/json")), 405);
  error_of(HttpWire::take(wire.client().Options("/v1/models")), 405);
  CHECK(HttpWire::take(wire.client().Head("/health")).status == 200);
}

TEST_CASE("every refusal is counted once, under the id that the client is told", "[http]") {
  struct Observer final : RequestObserver {
    void on_request_end(const RequestRecord& record) override {
      const std::lock_guard lock(mutex);
      records.push_back(record);
    }
    // What was refused since the last call: its reason and id.
    std::vector<std::pair<std::string, std::string>> take() {
      const std::lock_guard lock(mutex);
      std::vector<std::pair<std::string, std::string>> out;
      for (const RequestRecord& r : records)
        if (!r.accepted) out.emplace_back(r.reason, r.request_id);
      records.clear();
      return out;
    }
    std::mutex mutex;
    std::vector<RequestRecord> records;
  } observer;
  HttpWire wire;
  wire.state.set_observer(&observer);
  using Refusals = std::vector<std::pair<std::string, std::string>>;
  const auto check = [&](const httplib::Response& response, const std::string& reason) {
    INFO(reason);
    CHECK(response.status >= 400);
    CHECK(observer.take() == Refusals{{reason, response.get_header_value("X-Request-Id")}});
  };
  check(wire.get("/no/such/route"), "NO_SUCH_ROUTE");
  check(wire.post("/v1/models", "{}"), "METHOD_NOT_ALLOWED");
  check(wire.get("/v1/models/zz"), "MODEL_NOT_FOUND");
  check(wire.post("/tokenize", "{}"), "PARAM_OUT_OF_RANGE");
  check(wire.post("/detokenize", "["), "MALFORMED_JSON");
  const httplib::Headers mine = {{"X-Request-Id", "mine"}};
  for (const char* path : {"/v1/completions", "/v1/chat/completions"})
    check(wire.post(path, "{"), "MALFORMED_JSON");
  check(wire.post("/v1/completions", R"({"prompt": "x", "nonsense": 1})", mine), "UNKNOWN_FIELD");
  check(wire.post("/v1/completions", R"({"prompt": "x", "model": "nobody's"})"), "MODEL_NOT_FOUND");
  check(wire.post("/v1/completions", R"({"prompt": "x", "temperature": 9})", mine),
        "PARAM_OUT_OF_RANGE");
  check(wire.post("/v1/completions", R"({"prompt": "x", "request_id": "z", "temperature": 9})"),
        "PARAM_OUT_OF_RANGE");
  check(wire.post("/v1/completions", R"({"prompt": "x"})", {{"X-Request-Timeout-Ms", "soon"}}),
        "PARAM_OUT_OF_RANGE");
  check(wire.post("/v1/completions", "{}", {{"Content-Encoding", "gzip"}}), "MALFORMED_REQUEST");
  for (const auto& [bytes, reason] :
       {std::pair<std::string, std::string>{"what is this\r\n\r\n", "MALFORMED_REQUEST"},
        {"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
         "BODY_TOO_LARGE"},
        {"GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n",
         "HEADER_TOO_LARGE"}}) {
    INFO(reason);
    RawClient raw(wire.port);
    raw.send(bytes);
    (void)raw.read_until("\r\n\r\n");
    const auto seen = observer.take();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].first == reason);
    CHECK_FALSE(seen[0].second.empty());
  }
  CHECK(wire.get("/health").status == 200);
  CHECK(wire.post("/v1/completions", R"({"prompt": "x", "max_tokens": 1})").status == 200);
  CHECK(observer.take().empty());
}

TEST_CASE("while loading: health tells the stage, live answers, requests are refused", "[http]") {
  HttpWire wire(any_http_port(), false);
  wire.state.set_load_progress("weights", 0.25);
  httplib::Response health = wire.get("/health");
  CHECK(health.status == 503);
  CHECK(Json::parse(health.body) == Json::parse(R"({"status": "loading", "stage": "weights",
                                                   "fraction": 0.25, "reason": "LOADING"})"));
  CHECK(wire.get("/health/live").status == 200);
  for (const httplib::Response& refused :
       {wire.post("/v1/completions", kPrompt), wire.get("/v1/models"),
        wire.post("/tokenize", R"({"prompt": "x"})")}) {
    CHECK(error_of(refused, 503)["code"] == "LOADING");
    CHECK(refused.get_header_value("Retry-After") == "1");
    CHECK(refused.get_header_value("Retry-After-Ms") == "1000");
  }
}

TEST_CASE("a server that is about to drain says so, and still takes requests", "[http]") {
  HttpWire wire;
  wire.state.announce_draining();
  const httplib::Response health = wire.get("/health");
  CHECK(health.status == 503);
  CHECK(Json::parse(health.body) == Json::parse(R"({"status": "draining", "reason": "DRAINING"})"));
  CHECK(wire.get("/health/live").status == 200);
  CHECK(wire.post("/v1/completions", kPrompt).status == 200);
}

TEST_CASE("draining refuses new requests and finishes streams", "[http]") {
  HttpWire wire;
  wire.engine.paused = true;
  RawClient stream(wire.port);
  stream.send(raw_post("/v1/completions", R"({"prompt": "x", "max_tokens": 5, "stream": true})"));
  stream.read_until("\r\n\r\n");
  REQUIRE(test::eventually([&] { return wire.engine.num_live() == 1; }));
  wire.state.start_draining();
  CHECK(Json::parse(wire.get("/health").body)["status"] == "draining");
  CHECK(error_of(wire.post("/v1/completions", kPrompt), 503)["code"] == "DRAINING");
  CHECK(wire.get("/v1/models").status == 200);
  CHECK(wire.state.num_live_calls() == 1);
  wire.engine.paused = false;
  const std::string all = stream.read_until("[DONE]");
  CHECK(all.find("t4 ") != std::string::npos);
  CHECK(all.find("[DONE]") != std::string::npos);
  CHECK(test::eventually([&] { return wire.state.num_live_calls() == 0; }));
}

TEST_CASE("errors have the status of their code and OpenAI's shape", "[http]") {
  HttpWire wire;
  const std::tuple<Status, int, const char*, const char*> kRefusals[] = {
      {{Code::kResourceExhausted, "full"}, 429, "rate_limit_exceeded", "QUEUE_FULL"},
      {{Code::kOutOfRange, "long"}, 400, "context_length_exceeded", "CONTEXT_EXCEEDED"},
      {{Code::kUnavailable, "no"}, 503, "DRAINING", "DRAINING"},
      {{Code::kAlreadyExists, "id"}, 409, "REQUEST_ID_IN_USE", "REQUEST_ID_IN_USE"},
      {{Code::kUnimplemented, "x"}, 501, "FEATURE_DISABLED", "FEATURE_DISABLED"},
      {{Code::kInternal, "broken"}, 500, "ENGINE_FAULT", "ENGINE_FAULT"},
  };
  for (const bool stream : {false, true}) {
    for (const auto& [status, http, code, reason] : kRefusals) {
      wire.engine.refusal = status;
      const httplib::Response response =
          wire.post("/v1/completions", stream ? kEndless : kPrompt, {{"X-Request-Id", "mine"}});
      const Json error = error_of(response, http);
      CHECK(error["code"] == code);
      CHECK(error["reason"] == reason);
      CHECK(error["message"] == status.message());
      CHECK(response.get_header_value("X-Request-Id") == "mine");
      CHECK(response.has_header("Retry-After") == (http == 429 || http == 503));
    }
  }
  wire.engine.refusal = {};
  const auto bad = [&](const std::string& body) {
    return error_of(wire.post("/v1/completions", body), 400);
  };
  CHECK(bad(R"({"prompt": "x", "temperature": 3})")["param"] == "temperature");
  CHECK(bad(R"({"prompt": "x", "temperature": 3})")["message"] ==
        "temperature: must be in [0, 2], is 3");
  CHECK(bad(R"({"prompt": "x", "max_tokens": 0})")["param"] == "max_tokens");
  CHECK(bad(R"({"prompt": "x", "logprobs": 21})")["param"] == "logprobs");
  CHECK(bad(R"({"prompt": "x", "stop": [""]})")["param"] == "stop[0]");
  CHECK(bad(R"({"prompt": [3, 9999]})")["param"] == "prompt[1]");
  CHECK(bad(R"({"prompt": ["ok", ""], "add_special_tokens": false})")["param"] == "prompt");
  CHECK(bad(R"({"prompt": "x", "n": 2, "temperature": 0})")["code"] == "CONSTRAINT_CONFLICT");
  CHECK(bad("{")["code"] == "MALFORMED_JSON");
  CHECK(bad("")["code"] == "MALFORMED_JSON");
  CHECK(bad(R"({"prompt": "x", "request_id": "a b"})")["param"] == "request_id");
  CHECK(error_of(wire.post("/v1/completions", R"({"prompt": "x", "model": "y"})"), 404)["code"] ==
        "model_not_found");
  CHECK(test::eventually([&] { return wire.engine.num_live() == 0; }));
  CHECK(test::eventually([&] { return wire.state.num_live_calls() == 0; }));
}

TEST_CASE("a deadline in a header", "[http]") {
  HttpWire wire;
  wire.engine.paused = true;
  const auto post = [&](const std::string& ms) {
    return wire.post("/v1/completions", kPrompt, {{"X-Request-Timeout-Ms", ms}});
  };
  const Json late = error_of(post("20"), 504);
  CHECK(late["code"] == "QUEUE_TIMEOUT");
  for (const char* wrong : {"0", "-1", "soon", "1.5", "99999999999999999999"})
    CHECK(error_of(post(wrong), 400)["param"] == "x-request-timeout-ms");
  const auto events = wire.client().Post("/v1/completions", {{"X-Request-Timeout-Ms", "20"}},
                                         kEndless, "application/json");
  const auto data = HttpWire::events(events->body);
  REQUIRE(data.size() == 1);  // after the stream has begun: an event, and no [DONE]
  CHECK(Json::parse(data[0])["error"]["code"] == "QUEUE_TIMEOUT");
}

TEST_CASE("request ids are taken, minted and echoed", "[http]") {
  HttpWire wire;
  httplib::Response mine = wire.post("/v1/completions", kPrompt, {{"X-Request-Id", "abc"}});
  CHECK(mine.get_header_value("X-Request-Id") == "abc");
  CHECK(Json::parse(mine.body)["id"] == "cmpl-abc");
  CHECK(wire.engine.last_request.request_id == "abc");
  mine =
      wire.post("/v1/completions", R"({"prompt": ["a", "b"], "request_id": "r", "max_tokens": 1})",
                {{"X-Request-Id", "abc"}});
  CHECK(mine.get_header_value("X-Request-Id") == "r");
  CHECK(wire.engine.last_request.request_id == "r-1");
  CHECK(wire.post("/v1/completions", kPrompt).get_header_value("X-Request-Id").size() == 36);
  CHECK(HttpWire::take(wire.client().Get("/health", {{"X-Request-Id", "probe"}}))
            .get_header_value("X-Request-Id") == "probe");
}

TEST_CASE("64 streams at once, with health beside them and no room for one more", "[http]") {
  HttpWire wire;
  wire.engine.paused = true;
  const auto started = std::chrono::steady_clock::now();
  std::vector<RawClient> streams;
  for (int i = 0; i < 64; ++i) {
    streams.emplace_back(wire.port);
    streams.back().send(
        raw_post("/v1/completions", R"({"prompt": "x", "max_tokens": 9, "stream": true})"));
  }
  REQUIRE(test::eventually([&] { return wire.engine.num_live() == 64; }));
  httplib::Client prober = wire.client();
  prober.set_keep_alive(true);
  for (int i = 0; i < 10; ++i) CHECK(HttpWire::take(prober.Get("/health")).status == 200);
  const httplib::Response refused = wire.post("/v1/completions", kPrompt);
  CHECK(error_of(refused, 429)["reason"] == "TOO_MANY_STREAMS");
  CHECK(refused.has_header("Retry-After"));
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(10));  // nothing waited
  wire.engine.paused = false;
  for (RawClient& stream : streams) {
    const std::string all = stream.read_until("[DONE]");
    CHECK(all.find("t8 ") != std::string::npos);
    CHECK(all.find("[DONE]") != std::string::npos);
  }
  CHECK(test::eventually([&] { return wire.state.num_live_calls() == 0; }));
  CHECK(wire.post("/v1/completions", kPrompt).status == 200);
}

TEST_CASE("clients that say nothing, or half a request, keep nobody waiting", "[http]") {
  HttpWire wire(any_http_port(1));  // 33 threads
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(wire.port);
  CHECK(wire.get("/health").status == 200);
  for (int i = 0; i < 60; ++i)
    clients[i].send(i % 2 ? "GET /health HTTP/1.1\r\nHost"
                          : "POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  CHECK(wire.get("/health").status == 200);
  CHECK(wire.post("/v1/completions", kPrompt).status == 200);
  clients[199].send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n");  // was silent only
  CHECK(clients[199].read_until("}").find("200 OK") != std::string::npos);
}

TEST_CASE("where there are too many connections the longest idle one goes", "[http]") {
  HttpWire wire(any_http_port(1));
  std::vector<RawClient> clients;
  for (int i = 0; i < 350; ++i) clients.emplace_back(wire.port);  // 33 + 256 are held
  CHECK(wire.get("/health").status == 200);
  CHECK(clients[0].read_until("}").empty());  // closed
  clients[349].send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(clients[349].read_until("}").find("200 OK") != std::string::npos);
}

TEST_CASE("a client that leaves ends its request", "[http]") {
  HttpWire wire;
  for (const std::string& body : {kEndless, std::string(R"({"prompt": ["a", "b"], "n": 2})")}) {
    wire.engine.paused = true;  // no token shows that it has left
    RawClient client(wire.port);
    client.send(raw_post("/v1/completions", body));
    REQUIRE(test::eventually([&] { return wire.engine.num_live() > 0; }));
    client.close();
    CHECK(test::eventually([&] { return wire.engine.num_live() == 0; }));
    CHECK(test::eventually([&] { return wire.state.num_live_calls() == 0; }));
  }
}

TEST_CASE("an engine that stops ends a stream with an error event", "[http]") {
  HttpWire wire;
  wire.engine.paused = true;
  RawClient client(wire.port);
  client.send(raw_post("/v1/completions", kEndless));
  REQUIRE(test::eventually([&] { return wire.engine.num_live() == 1; }));
  wire.engine.shutdown();
  const std::string all = client.read_until("\r\n0\r\n\r\n");
  CHECK(all.find("data: {\"error\":{\"message\":\"shut down\"") != std::string::npos);
  CHECK(all.find("[DONE]") == std::string::npos);
}

TEST_CASE("bodies that are too large, unclear or packed are refused", "[http]") {
  HttpWire wire;
  const std::string huge(2 << 20, 'x');
  CHECK(error_of(wire.post("/v1/completions", huge), 413)["code"] == "BODY_TOO_LARGE");
  const auto answer = [&](const std::string& header, const std::string& body) {
    RawClient client(wire.port);
    client.send("POST /v1/completions HTTP/1.1\r\nHost: x\r\n" + header + "\r\n" + body);
    return client.read_until("\r\n\r\n").substr(0, 13);
  };
  std::string chunks;
  for (int i = 0; i < 40; ++i) chunks += "10000\r\n" + std::string(65536, 'x') + "\r\n";
  CHECK(answer("Transfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n") == "HTTP/1.1 413 ");
  CHECK(answer("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") ==
        "HTTP/1.1 400 ");
  CHECK(answer("Content-Length: 2\r\nContent-Length: 3\r\n", "{}") == "HTTP/1.1 400 ");
  CHECK(answer("Content-Length: two\r\n", "{}") == "HTTP/1.1 400 ");
  CHECK(answer("Content-Length: 2\r\nContent-Encoding: gzip\r\n", "{}") == "HTTP/1.1 415 ");
  CHECK(answer("Content-Length: 2\r\nContent-Type: multipart/form-data; boundary=x\r\n", "{}") ==
        "HTTP/1.1 415 ");
  CHECK(answer("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n") == "HTTP/1.1 400 ");
  CHECK(answer("", "") == "HTTP/1.1 400 ");
  CHECK(answer("X: " + std::string(100'000, 'x') + "\r\n", "") == "HTTP/1.1 431 ");
  RawClient nonsense(wire.port);
  nonsense.send("HELLO\r\n\r\n");
  CHECK(nonsense.read_until("}}").find("MALFORMED_REQUEST") != std::string::npos);
  const std::string chunked_good = "5\r\n{\"pro\r\n9\r\nmpt\":\"x\"}\r\n0\r\n\r\n";
  CHECK(answer("Transfer-Encoding: chunked\r\n", chunked_good) == "HTTP/1.1 200 ");
  CHECK(wire.post("/v1/completions", kPrompt).status == 200);
}

TEST_CASE("requests that come in a row on one connection are answered in a row", "[http]") {
  HttpWire wire;
  RawClient client(wire.port);
  client.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n" + raw_post("/v1/completions", kPrompt) +
              "GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_until("NO_SUCH_ROUTE");
  const size_t version = all.find("\"version\""), text = all.find("t0 t1 t2");
  CHECK(version < text);
  CHECK(text < all.find("NO_SUCH_ROUTE"));
  CHECK(text != std::string::npos);
}

TEST_CASE("text routes come and change while the gateway serves", "[http]") {
  HttpWire wire;
  CHECK(wire.get("/metrics").status == 404);
  std::atomic<int> scrapes{0};
  wire.gateway->add_text_route("/metrics", "text/plain; version=0.0.4",
                               [&] { return "n " + std::to_string(++scrapes) + "\n"; });
  CHECK(wire.get("/metrics").body == "n 1\n");
  CHECK(wire.get("/metrics").get_header_value("Content-Type") == "text/plain; version=0.0.4");
  wire.gateway->add_text_route("/", "text/html", [] { return std::string("<p>"); });
  CHECK(wire.get("/").body == "<p>");
  CHECK(scrapes == 2);
}

TEST_CASE("pages of another origin may use it where that is configured", "[http]") {
  http::GatewayOptions options = any_http_port();
  options.cors_origin = "https://example.org";
  HttpWire wire(options);
  const httplib::Response preflight = HttpWire::take(wire.client().Options("/v1/chat/completions"));
  CHECK(preflight.status == 204);
  CHECK(preflight.get_header_value("Access-Control-Allow-Origin") == "https://example.org");
  CHECK(preflight.get_header_value("Access-Control-Allow-Methods").find("POST") !=
        std::string::npos);
  CHECK(wire.get("/health").get_header_value("Access-Control-Allow-Origin") ==
        "https://example.org");
  CHECK_FALSE(HttpWire().get("/health").has_header("Access-Control-Allow-Origin"));
}

TEST_CASE("unix sockets, and addresses that cannot be bound", "[http]") {
  HttpWire wire;
  http::GatewayOptions options = any_http_port();
  options.listen = {"127.0.0.1:" + std::to_string(wire.port)};
  CHECK(http::Gateway::start(options, wire.state).status().message() ==
        "cannot listen on " + options.listen[0] + ": Address already in use");
  options.listen = {"here"};
  CHECK(http::Gateway::start(options, wire.state).status().code() == Code::kInvalidArgument);
  const std::string path = std::filesystem::temp_directory_path() /
                           ("tern_http_test_" + std::to_string(::getpid()) + ".sock");
  options.listen = {"unix:" + path};
  {
    auto unix_gateway = http::Gateway::start(options, wire.state);
    REQUIRE(unix_gateway.ok());
    httplib::Client client(path, 80);
    client.set_address_family(AF_UNIX);
    CHECK(HttpWire::take(client.Get("/health")).status == 200);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}
