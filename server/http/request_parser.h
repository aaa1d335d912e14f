// The bytes of one HTTP/1 request, as they come, to a Request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/api/api_error.h"
#include "server/http/message.h"

namespace tern::http {

/// Why a request is not taken: the status, and the error in its body.
struct Refusal {
  int status = 400;
  ApiError error;
};

/// MALFORMED_REQUEST.
Refusal malformed(std::string message, int status = 400);

/// BODY_TOO_LARGE.
Refusal body_too_large(uint64_t limit);

/// Returns `text` with its ASCII letters in lower case.
std::string lower(std::string text);

/// One request; one thread. RFC 9112, and strict wherever two servers in a row could see two
/// different ends of a request: a message has one length, chunks have their CR LF.
class RequestParser {
 public:
  explicit RequestParser(uint64_t max_body_bytes) : max_body_bytes_(max_body_bytes) {}

  /// Takes bytes up to the header's end, in later calls up to the body's, and returns how many.
  size_t feed(std::string_view bytes);

  bool has_begun() const { return has_begun_; }
  bool has_header() const { return state_ > State::kHeader; }
  bool is_complete() const { return state_ == State::kDone; }
  const std::optional<Refusal>& refusal() const { return refusal_; }

  /// What is known so far; the body is whole when the request is complete.
  const Request& request() const { return request_; }
  Request take() { return std::move(request_); }

  // Once there is a header.
  bool is_http_1_0() const { return is_http_1_0_; }
  bool keeps_alive() const { return keeps_alive_; }
  bool has_body() const { return has_body_; }

 private:
  enum class State { kRequestLine, kHeader, kBody, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone };
  using Error = std::optional<Refusal>;

  bool is_in_body() const { return state_ == State::kBody || state_ == State::kChunk; }
  size_t max_line_bytes() const;
  Error take_piece(std::string_view* bytes);
  Error take_line(std::string_view line, bool has_cr);
  Error take_request_line(std::string_view line);
  Error take_header_line(std::string_view line);
  Error end_header();
  Error begin_chunk(std::string_view line);
  Error too_long() const;

  const uint64_t max_body_bytes_;
  State state_ = State::kRequestLine;
  Request request_;
  std::optional<Refusal> refusal_;
  std::string line_;         // what has come of it
  size_t header_bytes_ = 0;  // of all lines, a trailer's too
  uint64_t left_ = 0;        // bytes of the body, or of the chunk
  bool is_http_1_ = false, is_http_1_0_ = false;
  bool has_begun_ = false, keeps_alive_ = false, has_body_ = false, is_chunked_ = false;
};

}  // namespace tern::http
