#include "bench/serve/http_parser.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace tern::bench {
namespace {

constexpr size_t kMaxLineBytes = 16 << 10;
constexpr size_t kMaxHeadBytes = 64 << 10;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return out;
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool read_number(std::string_view text, int base, uint64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out, base);
  return error == std::errc() && end == text.data() + text.size();
}

Status not_http(const char* what, std::string_view line) {
  return invalid_argument(std::string("the server's answer is no HTTP: ") + what + " '" +
                          std::string(line.substr(0, 80)) + "'");
}

}  // namespace

Result<HttpUrl> parse_http_url(const std::string& text) {
  constexpr std::string_view kScheme = "http://";
  if (text.starts_with("https://"))
    return invalid_argument("https is not spoken here: measure behind the proxy that ends TLS");
  if (!text.starts_with(kScheme))
    return invalid_argument("must be http://HOST:PORT, is '" + text + "'");
  std::string_view rest = std::string_view(text).substr(kScheme.size());
  HttpUrl url;
  const size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash), path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with("/v1")) path.remove_suffix(3);
  url.path = path;
  const size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  const size_t colon = bracket == authority.npos ? authority.npos : authority.find(':', bracket);
  url.host = authority.substr(0, colon);
  if (colon != authority.npos) url.port = authority.substr(colon + 1);
  uint64_t port = 0;
  if (url.host.empty() || bracket == authority.npos ||
      text.find_first_of(" \r\n\t?#@") != text.npos || !read_number(url.port, 10, &port) ||
      port == 0 || port > 65535)
    return invalid_argument("must be http://HOST:PORT, is '" + text + "'");
  return url;
}

Status HttpResponseParser::feed(std::string_view bytes, const OnBody& on_body) {
  has_begun_ |= !bytes.empty();
  while (!bytes.empty()) {
    if (state_ == State::kDone) return not_http("bytes beyond its end", bytes);
    if (takes_bytes()) {
      const size_t size = std::min<uint64_t>(left_, bytes.size());
      const std::string_view piece = bytes.substr(0, size);
      bytes.remove_prefix(size);
      left_ -= until_close_ ? 0 : size;
      if (left_ == 0) state_ = is_chunked_ ? State::kChunkEnd : State::kDone;
      TERN_TRY(on_body(piece));
      continue;
    }
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    line_ += bytes.substr(0, end);
    if (line_.size() > kMaxLineBytes)
      return Status(Code::kOutOfRange, "a line of the server's answer is over 16 KiB");
    const bool is_whole = end < bytes.size();
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (!is_whole) break;
    std::string line = std::move(line_);
    line_.clear();
    if (line.ends_with('\r')) line.pop_back();
    TERN_TRY(take_line(line));
  }
  return {};
}

Status HttpResponseParser::take_line(std::string_view line) {
  switch (state_) {
    case State::kStatusLine:
      return take_status_line(line);
    case State::kHeader:
      return take_header(line);
    case State::kChunkSize:
      return take_chunk_size(line);
    case State::kChunkEnd:
      if (!line.empty()) return not_http("after a chunk", line);
      state_ = State::kChunkSize;
      return {};
    case State::kTrailer:
      if (line.empty()) state_ = State::kDone;
      return {};
    case State::kBody:
    case State::kChunk:
    case State::kDone:
      break;
  }
  return {};
}

Status HttpResponseParser::take_status_line(std::string_view line) {
  uint64_t status = 0;
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ' ||
      !read_number(line.substr(9, 3), 10, &status) || status < 100)
    return not_http("it begins with", line);
  keeps_alive_ = line[7] == '1';
  status_ = int(status);
  state_ = State::kHeader;
  return {};
}

Status HttpResponseParser::take_header(std::string_view line) {
  if (line.empty()) {
    begin_body();
    return {};
  }
  head_bytes_ += line.size();
  if (head_bytes_ > kMaxHeadBytes)
    return Status(Code::kOutOfRange, "the headers of the server's answer are over 64 KiB");
  const size_t colon = line.find(':');
  if (colon == line.npos || colon == 0) return not_http("header", line);
  const std::string name = lower(line.substr(0, colon)),
                    value = lower(trim(line.substr(colon + 1)));
  if (name == "transfer-encoding") is_chunked_ = value.ends_with("chunked");
  if (name == "connection") keeps_alive_ = value.find("close") == value.npos;
  if (name == "content-length") {
    has_length_ = true;
    if (!read_number(value, 10, &left_)) return not_http("header", line);
  }
  return {};
}

void HttpResponseParser::begin_body() {
  if (status_ < 200) {  // 100 Continue and the like: the response is yet to come
    state_ = State::kStatusLine;
  } else if (status_ == 204 || status_ == 304) {
    state_ = State::kDone;
  } else if (is_chunked_) {
    state_ = State::kChunkSize;
  } else if (has_length_) {
    state_ = left_ > 0 ? State::kBody : State::kDone;
  } else {
    state_ = State::kBody;
    until_close_ = true;
    left_ = std::numeric_limits<uint64_t>::max();
  }
}

Status HttpResponseParser::take_chunk_size(std::string_view line) {
  const std::string_view size = trim(line.substr(0, line.find(';')));
  if (!read_number(size, 16, &left_)) return not_http("chunk size", line);
  state_ = left_ > 0 ? State::kChunk : State::kTrailer;
  return {};
}

bool HttpResponseParser::finish() {
  if (state_ == State::kBody && until_close_) state_ = State::kDone;
  return state_ == State::kDone;
}

}  // namespace tern::bench
