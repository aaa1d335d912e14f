// Requests as careless, old and hostile clients send them, byte by byte, and what comes back.
#include <catch2/catch.hpp>

#include "tests/server/http/http_wire.h"
#include "tests/support/eventually.h"

using namespace tern;

namespace {

const std::string kBody = R"({"prompt": "hi", "max_tokens": 3})";

http::GatewayOptions with_cors() {
  http::GatewayOptions options = any_http_port();
  options.cors_origin = "*";
  return options;
}

std::string post_with(const std::string& headers, const std::string& body = kBody) {
  return "POST /v1/completions HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}

std::string chunked(const std::string& body, const std::string& headers = "") {
  return post_with("Transfer-Encoding: chunked\r\n" + headers, body);
}

// All that a connection says to `bytes` until it is closed.
std::string talk(const HttpWire& wire, const std::string& bytes) {
  RawClient client(wire.port);
  client.send(bytes);
  client.end_sending();
  return client.read_until("never said");
}

int status_of(const std::string& response) {
  return response.starts_with("HTTP/1.1 ") ? std::stoi(response.substr(9, 3)) : 0;
}

std::string header_of(const std::string& response, const std::string& name) {
  const size_t at = response.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 4;
  return response.substr(begin, response.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("every refusal has a request id and is readable by pages of other origins", "[http]") {
  HttpWire wire(with_cors());
  const std::string id = "X-Request-Id: mine\r\n";
  const std::pair<std::string, int> kRequests[] = {
      {"GET /nowhere HTTP/1.1\r\nHost: x\r\n" + id + "\r\n", 404},
      {"DELETE /v1/models HTTP/1.1\r\nHost: x\r\n" + id + "\r\n", 405},
      {"GET /v1/completions HTTP/1.1\r\nHost: x\r\n" + id + "\r\n", 405},
      {post_with(id + "Content-Length: 9999999999\r\n", ""), 413},
      {post_with(id + "Content-Length: 2\r\nContent-Encoding: gzip\r\n", "{}"), 415},
      {post_with(id + "Expect: a miracle\r\nContent-Length: 2\r\n", "{}"), 417},
      {post_with(id + "X: " + std::string(66'000, 'x') + "\r\n", ""), 431},
      {post_with(id + "a b: c\r\n", ""), 400},
      {post_with(id + "X: a\x01"
                      "b\r\n",
                 ""),
       400},
      {post_with(id + "no colon\r\n", ""), 400},
      {post_with(id + "Content-Length: 40\r\n", "{}"), 400},  // ends early
      {post_with(id + "Content-Length: 1\r\n", "{"), 400},
      {"GET /health HTTP/2.0\r\n" + id + "\r\n", 505},
  };
  for (const auto& [request, status] : kRequests) {
    const std::string response = talk(wire, request);
    INFO(request.substr(0, 120) << "\n" << response);
    CHECK(status_of(response) == status);
    CHECK(header_of(response, "X-Request-Id") == "mine");
    CHECK(header_of(response, "Access-Control-Allow-Origin") == "*");
    CHECK(response.find("\"reason\":\"") != std::string::npos);
  }
  // A request that has no id, or cannot be read so far, gets one.
  for (const std::string request :
       {"HELLO\r\n\r\n", "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02",
        "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    const std::string response = talk(wire, request);
    INFO(response);
    CHECK(status_of(response) >= 400);
    CHECK(header_of(response, "X-Request-Id").size() == 36);
    CHECK(header_of(response, "Access-Control-Allow-Origin") == "*");
  }
  const std::string target = "GET /" + std::string(10'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n";
  CHECK(status_of(talk(wire, target)) == 414);
  wire.state.start_draining();
  const std::string refused =
      talk(wire, post_with(id + "Content-Length: " + std::to_string(kBody.size()) + "\r\n"));
  CHECK(status_of(refused) == 503);
  CHECK(header_of(refused, "X-Request-Id") == "mine");
  CHECK(header_of(refused, "Access-Control-Allow-Origin") == "*");
}

TEST_CASE("a request id is an id for traces: live requests may share it", "[http]") {
  HttpWire wire;
  wire.engine.paused = true;
  const std::string request =
      post_with("X-Request-Id: trace\r\nContent-Length: " + std::to_string(kBody.size()) + "\r\n");
  RawClient first(wire.port), second(wire.port);
  first.send(request);
  REQUIRE(test::eventually([&] { return wire.engine.num_live() == 1; }));
  second.send(request);
  REQUIRE(test::eventually([&] { return wire.engine.num_live() == 2; }));
  std::vector<std::string> ids;
  for (const RequestState& live : wire.engine.live_requests()) ids.push_back(live.request_id);
  CHECK(ids[0] == "trace");
  CHECK(ids[1].substr(0, 6) == "trace-");
  wire.engine.paused = false;
  for (RawClient* client : {&first, &second}) {
    const std::string response = client->read_until("}}");
    CHECK(status_of(response) == 200);
    CHECK(header_of(response, "X-Request-Id") == "trace");
  }
  CHECK(second.read_until("}}").find("\"cmpl-" + ids[1] + "\"") != std::string::npos);
}

TEST_CASE("an id in the body is an id: of a live request it is refused", "[http]") {
  HttpWire wire;
  wire.engine.paused = true;
  const std::string body = R"({"prompt": "x", "request_id": "mine"})";
  RawClient first(wire.port);
  first.send(raw_post("/v1/completions", body));
  REQUIRE(test::eventually([&] { return wire.engine.num_live() == 1; }));
  CHECK(wire.post("/v1/completions", body).status == 409);
}

TEST_CASE("what may not stand in a request id is replaced", "[http]") {
  HttpWire wire;
  const auto id_for = [&](const std::string& sent) {
    const std::string response =
        talk(wire, post_with("X-Request-Id: " + sent +
                             "\r\nContent-Length: " + std::to_string(kBody.size()) + "\r\n"));
    INFO(response);
    CHECK(status_of(response) == 200);
    return header_of(response, "X-Request-Id");
  };
  CHECK(id_for("a b") == "a_b");
  CHECK(id_for("caf\xC3\xA9") == "caf__");
  CHECK(id_for(std::string("a\x01\x1B[2J\0z", 8)) == "a__[2J_z");
  CHECK(id_for(std::string(5000, 'x')) == std::string(128, 'x'));
  CHECK(id_for("").size() == 36);
  CHECK(id_for("ok-1_2.3/4") == "ok-1_2.3/4");
  // Each of several prompts has its number behind the id, within the limit.
  const std::string two = R"({"prompt": ["a", "b"], "max_tokens": 1})";
  const std::string response =
      talk(wire, post_with("X-Request-Id: " + std::string(200, 'y') +
                               "\r\nContent-Length: " + std::to_string(two.size()) + "\r\n",
                           two));
  CHECK(status_of(response) == 200);
}

TEST_CASE("a preflight allows the headers that it asks for", "[http]") {
  HttpWire wire(with_cors());
  const std::string response =
      talk(wire,
           "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: x\r\nOrigin: https://x.example\r\n"
           "Access-Control-Request-Method: POST\r\n"
           "Access-Control-Request-Headers: authorization,x-stainless-os,x-my-own\r\n\r\n");
  CHECK(status_of(response) == 204);
  CHECK(header_of(response, "Access-Control-Allow-Headers") ==
        "authorization,x-stainless-os,x-my-own");
  CHECK(header_of(response, "Access-Control-Allow-Methods").find("POST") != std::string::npos);
  CHECK(header_of(response, "Content-Length").empty());
}

TEST_CASE("a preflight of no route is answered, so that the page sees the 404", "[http]") {
  const std::string preflight =
      "OPTIONS /nowhere HTTP/1.1\r\nHost: x\r\nOrigin: https://x.example\r\n"
      "Access-Control-Request-Method: POST\r\n\r\n";
  HttpWire wire(with_cors()), without;
  const std::string response = talk(wire, preflight);
  CHECK(status_of(response) == 204);
  CHECK(header_of(response, "Access-Control-Allow-Origin") == "*");
  CHECK(header_of(response, "Access-Control-Allow-Methods").find("POST") != std::string::npos);
  CHECK(status_of(talk(without, preflight)) == 404);
  CHECK(status_of(talk(wire, "OPTIONS /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")) == 404);
}

TEST_CASE("a request of HTTP 1.1 names one host", "[http]") {
  HttpWire wire;
  const auto status_with = [&](const std::string& version, const std::string& headers) {
    return status_of(talk(wire, "GET /version HTTP/" + version + "\r\n" + headers + "\r\n"));
  };
  for (const std::string host :
       {"Host: x\r\n", "host: [::1]:8000\r\n", "Host:\r\n", "Host: /run/http.sock\r\n"})
    CHECK(status_with("1.1", host) == 200);
  for (const std::string hosts :
       {"", "Host: x\r\nHost: x\r\n", "Host: x\r\nHOST: y\r\n", "Host: a b\r\n"}) {
    INFO(hosts);
    CHECK(status_with("1.1", hosts) == 400);
  }
  CHECK(status_with("1.0", "") == 200);
  CHECK(status_with("1.0", "Host: x\r\nHost: x\r\n") == 400);
}

TEST_CASE("header lines may have 64 KiB in all", "[http]") {
  HttpWire wire;
  const auto status_with = [&](const std::string& headers) {
    return status_of(talk(wire, "GET /version HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"));
  };
  CHECK(status_with("Cookie: " + std::string(64'000, 'c') + "\r\n") == 200);
  std::string many;
  for (int i = 0; i < 400; ++i)
    many += "X-" + std::to_string(1000 + i) + ": " + std::string(150, 'v') + "\r\n";
  CHECK(status_with(many) == 200);
  const std::string exactly(65536 - 9 - 5, 'x');  // with "Host: x", "A: " and the lines' ends
  CHECK(status_with("A: " + exactly + "\r\n") == 200);
  CHECK(status_with("A: " + exactly + "x\r\n") == 431);
  CHECK(status_with(many + many) == 431);
}

TEST_CASE("chunked bodies, with all that the format allows", "[http]") {
  HttpWire wire;
  const std::string one = "21\r\n" + kBody + "\r\n";
  REQUIRE(kBody.size() == 0x21);
  for (const std::string& body :
       {one + "0\r\n\r\n", one + "0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n",
        "21;name=value\r\n" + kBody + "\r\n0;last\r\n\r\n", "0021\r\n" + kBody + "\r\n000\r\n\r\n",
        "1\r\n{\r\n20\r\n" + kBody.substr(1) + "\r\n0\r\n\r\n"}) {
    const std::string response = talk(wire, chunked(body));
    INFO(body << "\n" << response);
    CHECK(status_of(response) == 200);
  }
  // A trailer's end is the request's: the next one follows.
  const std::string both = talk(
      wire, chunked(one + "0\r\nX-Sum: 1\r\n\r\n") + "GET /version HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(both.find("t0 t1 t2") != std::string::npos);
  CHECK(both.find("\"version\"") != std::string::npos);
}

TEST_CASE("chunks that are none are refused, and so is a body with two lengths", "[http]") {
  HttpWire wire;
  for (const std::string& body :
       {std::string("zz\r\n{}\r\n0\r\n\r\n"), std::string("-1\r\n{}\r\n0\r\n\r\n"),
        std::string("0x2\r\n{}\r\n0\r\n\r\n"), std::string("2\r\n{}0\r\n\r\n"),
        std::string("1\r\n{}\r\n0\r\n\r\n"), std::string("\r\n{}\r\n0\r\n\r\n"),
        std::string("10000000000000000\r\n{}\r\n0\r\n\r\n"),
        std::string("FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"), std::string("2\r\n{}\r\n"),
        std::string("2\r\n{}\r\n0\r\nno colon\r\n\r\n"),
        "2;" + std::string(100'000, 'e') + "\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: " + std::string(100'000, 't') + "\r\n\r\n"}) {
    const std::string response =
        talk(wire, chunked(body) + "GET /version HTTP/1.1\r\nHost: x\r\n\r\n");
    INFO(body.substr(0, 80) << "\n" << response);
    CHECK(status_of(response) / 100 == 4);
    CHECK(response.find("\"version\"") == std::string::npos);  // what follows is no request
  }
  CHECK(status_of(talk(wire, chunked("FFFFFFFFFFFFFFF\r\n" + std::string(2 << 20, 'x')))) == 413);
  // The value counts, however many digits it has.
  CHECK(status_of(talk(wire, chunked("FFFFFFFFFFFFFFFFFF\r\n"))) == 413);
  CHECK(status_of(talk(wire, chunked(std::string(30, '0') + "21\r\n" + kBody + "\r\n" +
                                     std::string(20, '0') + "\r\n\r\n"))) == 200);
  for (const std::string& body :
       {" 21\r\n" + kBody + "\r\n0\r\n\r\n", "\t21\r\n" + kBody + "\r\n0\r\n\r\n",
        "21\r\n" + kBody + "\r\n 0\r\n\r\n", "21\r\n" + kBody + "\r\n0\r\n\n",
        "21\r\n" + kBody + "\r\n0\r\nX: 1\n\r\n", "; a\r\n" + kBody + "\r\n0\r\n\r\n"}) {
    INFO(body);
    CHECK(status_of(talk(wire, chunked(body))) == 400);
  }
  for (const std::string headers :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "Transfer-Encoding : chunked\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: +5\r\n", "Content-Length: 5, 5\r\n", "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length: 0x5\r\n"}) {
    const std::string response =
        talk(wire, post_with(headers, "0\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n"));
    INFO(headers << "\n" << response);
    CHECK(status_of(response) / 100 == 4);
    CHECK(response.find("\"version\"") == std::string::npos);
  }
  CHECK(wire.get("/version").status == 200);
}

TEST_CASE("a client that has closed its sending end gets its answer", "[http]") {
  HttpWire wire;
  for (const bool streamed : {false, true}) {
    for (const std::string version : {"1.1", "1.0"}) {
      const std::string body = R"({"prompt": "hi", "max_tokens": 4, "stream": )" +
                               std::string(streamed ? "true}" : "false}");
      wire.engine.paused = true;
      RawClient client(wire.port);
      client.send("POST /v1/completions HTTP/" + version + "\r\nHost: x\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body);
      client.end_sending();
      REQUIRE(test::eventually([&] { return wire.engine.num_live() == 1; }));
      // Longer than it takes to ask whether it still reads.
      std::this_thread::sleep_for(std::chrono::milliseconds(2500));
      CHECK(wire.engine.num_live() == 1);
      wire.engine.paused = false;
      const std::string all = client.read_until("never said");
      INFO(all);
      CHECK(all.find("HTTP/1.1 200 OK") != std::string::npos);
      CHECK(all.find(streamed ? "[DONE]" : "t0 t1 t2 t3") != std::string::npos);
    }
  }
}

TEST_CASE("a client that closes its sending end first, and leaves then, ends its request",
          "[http]") {
  HttpWire wire;
  wire.engine.paused = true;
  for (const std::string stream : {R"(, "stream": true})", "}"}) {
    RawClient client(wire.port);
    client.send(raw_post("/v1/completions", R"({"prompt": "hi")" + stream));
    client.end_sending();
    REQUIRE(test::eventually([&] { return wire.engine.num_live() == 1; }));
    client.close();
    CHECK(test::eventually([&] { return wire.engine.num_live() == 0; }));
  }
}

TEST_CASE("only a body that will be read is asked for", "[http]") {
  HttpWire wire;
  const auto answer_to = [&](const std::string& request) {
    RawClient client(wire.port);
    client.send(request);
    return client.read_until("\r\n\r\n");
  };
  const std::string expect = "Expect: 100-continue\r\nContent-Length: ";
  CHECK(status_of(answer_to(post_with(expect + "99999999\r\n", ""))) == 413);
  CHECK(status_of(answer_to(post_with("Content-Encoding: gzip\r\n" + expect + "10\r\n", ""))) ==
        415);
  CHECK(status_of(answer_to("PUT /v1/completions HTTP/1.1\r\nHost: x\r\n" + expect +
                            "10\r\n\r\n")) == 405);
  CHECK(status_of(answer_to("POST /nowhere HTTP/1.1\r\nHost: x\r\n" + expect + "10\r\n\r\n")) ==
        404);
  CHECK(status_of(answer_to(post_with("X-Request-Timeout-Ms: soon\r\n" + expect + "10\r\n", ""))) ==
        400);
  const std::string length = std::to_string(kBody.size()) + "\r\n";
  RawClient good(wire.port);
  good.send(post_with(expect + length, ""));
  CHECK(status_of(good.read_until("\r\n\r\n")) == 100);
  good.send(kBody);
  CHECK(good.read_until("}}").find("HTTP/1.1 200 OK") != std::string::npos);
  wire.state.start_draining();
  CHECK(status_of(answer_to(post_with(expect + length, ""))) == 503);
}

TEST_CASE("an offer of another protocol is passed over", "[http]") {
  HttpWire wire;
  const std::string upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n";
  CHECK(status_of(talk(wire, "GET /version HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n")) == 200);
  CHECK(status_of(talk(wire, post_with(upgrade + "Content-Length: " + std::to_string(kBody.size()) +
                                       "\r\n"))) == 200);
  CHECK(status_of(talk(wire, "CONNECT x.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")) / 100 == 4);
}

TEST_CASE("targets are decoded, and may be absolute", "[http]") {
  HttpWire wire;
  for (const std::string target :
       {"/version?a=b", "/ver%73ion", "http://localhost:1/version", "http://x.example/version?q"})
    CHECK(status_of(talk(wire, "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")) == 200);
  CHECK(status_of(talk(wire, "GET /version%zz HTTP/1.1\r\nHost: x\r\n\r\n")) == 404);
  CHECK(status_of(talk(wire, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")) == 404);
}

TEST_CASE("HTTP 1.0 keeps a connection where it asks for it", "[http]") {
  HttpWire wire;
  const std::string get = "GET /version HTTP/1.0\r\n";
  const std::string keep = "Connection: keep-alive\r\n\r\n";
  const std::string both = talk(wire, get + keep + get + "\r\n" + get + "\r\n");
  CHECK(both.find("\"version\"") != both.rfind("\"version\""));
  CHECK(header_of(both, "Connection") == "keep-alive");
  const std::string head =
      talk(wire, "HEAD /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(std::stoi(header_of(head, "Content-Length")) > 0);
  CHECK(header_of(head, "Connection") == "close");
}
