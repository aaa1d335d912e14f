// HTTP/1.1 responses, as they come in pieces; and the addresses they come from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern::bench {

/// "http://HOST[:PORT][/PATH]".
struct HttpUrl {
  std::string host, port = "80";
  std::string path;  ///< what stands before "/v1/…": empty, or "/x"

  /// For the Host header.
  std::string authority() const { return host + ":" + port; }
};

/// kInvalidArgument names what is wrong; https is not spoken. A final "/" or "/v1" is dropped; an
/// IPv6 host stands in brackets, and keeps them.
Result<HttpUrl> parse_http_url(const std::string& text);

/// One response at a time; reset() before the next.
class HttpResponseParser {
 public:
  using OnBody = std::function<Status(std::string_view)>;

  /// The next bytes; `on_body` gets the body's, without the chunks' frames. kInvalidArgument: this
  /// is no HTTP response. kOutOfRange: a header is too long. Bytes beyond the response's end are an
  /// error: nothing was asked that they could answer.
  Status feed(std::string_view bytes, const OnBody& on_body);

  /// The connection has ended. Whether the response is whole: one of no stated length is.
  bool finish();

  bool is_complete() const { return state_ == State::kDone; }
  bool has_begun() const { return has_begun_; }
  int status() const { return status_; }
  bool keeps_alive() const { return keeps_alive_ && !until_close_; }

  void reset() { *this = HttpResponseParser(); }

 private:
  enum class State { kStatusLine, kHeader, kBody, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone };

  Status take_line(std::string_view line);
  Status take_status_line(std::string_view line);
  Status take_header(std::string_view line);
  Status take_chunk_size(std::string_view line);
  void begin_body();
  bool takes_bytes() const { return state_ == State::kBody || state_ == State::kChunk; }

  State state_ = State::kStatusLine;
  std::string line_;
  int status_ = 0;
  uint64_t left_ = 0;  // bytes of the body, or of the chunk
  size_t head_bytes_ = 0;
  bool has_begun_ = false, has_length_ = false, is_chunked_ = false, until_close_ = false;
  bool keeps_alive_ = true;
};

}  // namespace tern::bench
