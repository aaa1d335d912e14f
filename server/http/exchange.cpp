#include "server/http/exchange.h"

#include <chrono>

#include "base/log.h"
#include "server/http/error.h"
#include "server/http/response_writer.h"

namespace tern::http {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr Seconds kProbe{
    1};  // how often a client that sends nothing more is asked whether it reads

// What no handler here reads, by its header.
std::optional<Refusal> check_kind(const Request& request) {
  const std::string encoding = lower(request.header("content-encoding"));
  if (!encoding.empty() && encoding != "identity")
    return malformed("Content-Encoding '" + encoding + "' is not taken", 415);
  if (lower(request.header("content-type")).starts_with("multipart/form-data"))
    return malformed("a form is not taken; send the body as JSON", 415);
  return {};
}

}  // namespace

Exchange::After Exchange::run(bool closes, const std::function<void()>& on_whole) {
  connection_.begin_header();
  std::optional<Refusal> refusal = read_until(&RequestParser::has_header);
  if (!parser_.has_begun()) return After::kClose;
  if (!refusal) refusal = read_body();
  if (early_response_) {
    send(complete(parser_.take()), *std::move(early_response_), false);
    return After::kLinger;
  }
  if (refusal) return refuse(*refusal);
  on_whole();
  const Request request = complete(parser_.take());
  Response response;
  try {
    response = handler_(request);
  } catch (const std::exception& error) {
    spdlog::error("http: {} {}: {}", request.method, request.path, error.what());
    response = error_response({.reason = "INTERNAL", .message = "the server failed"});
  }
  return send(request, std::move(response), parser_.keeps_alive() && !closes) ? After::kKeep
                                                                              : After::kClose;
}

std::optional<Refusal> Exchange::read_until(bool (RequestParser::*is_there)() const) {
  while (!(parser_.*is_there)()) {
    switch (connection_.read()) {
      case Connection::Read::kBytes:
        connection_.take(parser_.feed(connection_.unread()));
        if (parser_.refusal()) return parser_.refusal();
        break;
      case Connection::Read::kEnd:
        return malformed("the request ended before it was whole");
      case Connection::Read::kTimeout:
        return malformed("the request did not come whole, or too slowly: " +
                             std::to_string(parser_.request().body.size()) +
                             " bytes of its body came",
                         408);
      case Connection::Read::kTooMany:
        return body_too_large(options_.max_body_bytes);
    }
  }
  return {};
}

std::optional<Refusal> Exchange::read_body() {
  if (parser_.has_body()) {
    if (auto refusal = check_kind(parser_.request())) return refusal;
    if (auto refusal = check_expectation()) return refusal;
    if (early_response_) return {};
  }
  connection_.begin_body(options_.max_body_bytes);
  return read_until(&RequestParser::is_complete);
}

// A client that waits before it sends its body is told to go on only where the body will be read.
std::optional<Refusal> Exchange::check_expectation() {
  const std::string expected = lower(parser_.request().header("expect"));
  if (expected.empty() || parser_.is_http_1_0()) return {};
  if (expected != "100-continue") return malformed("Expect: only 100-continue is understood", 417);
  if (hooks_.check_header) early_response_ = hooks_.check_header(parser_.request());
  if (!early_response_) connection_.write(kContinue);
  return {};
}

// The rest of the request is not read.
Exchange::After Exchange::refuse(const Refusal& refusal) {
  Response response = error_response(refusal.error);
  response.status = refusal.status;
  send(complete(parser_.take()), std::move(response), false);
  return After::kLinger;
}

bool Exchange::send(const Request& request, Response response, bool keeps_alive) {
  if (hooks_.complete) hooks_.complete(request, &response);
  response_begun_ = true;
  return write_response(response,
                        {.is_http_1_0 = parser_.has_header() && parser_.is_http_1_0(),
                         .without_body = request.method == "HEAD",
                         .keeps_alive = keeps_alive,
                         .idle = options_.timeouts.idle},
                        &connection_);
}

Request Exchange::complete(Request request) {
  request.id = trace_id(request.header("x-request-id"));
  request.peer = connection_.peer();
  request.client_gone = [this] { return is_gone(); };
  request.client_silent = [this] { return connection_.client() == Connection::Client::kSilent; };
  return request;
}

bool Exchange::is_gone() {
  switch (connection_.client()) {
    case Connection::Client::kThere:
      return false;
    case Connection::Client::kSilent:
      return !still_reads();
    case Connection::Client::kGone:
      break;
  }
  return true;
}

// TCP does not tell a client that has closed its sending end from one that has left, until
// something is written to it: then a reset comes from where nobody is. Before the response an
// interim one may be written at any time, which clients pass over (RFC 9110, 15.2); but HTTP/1.0
// has none. After its beginning the writer of the stream sees to it.
bool Exchange::still_reads() {
  if (response_begun_ || parser_.is_http_1_0()) return true;
  const TimePoint now = std::chrono::steady_clock::now();
  if (last_probe_ == TimePoint{}) last_probe_ = now;
  if (now - last_probe_ < to_duration(kProbe)) return true;
  last_probe_ = now;
  return connection_.write(kContinue);
}

}  // namespace tern::http
