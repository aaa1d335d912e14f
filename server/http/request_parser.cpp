// Our own, because of Debian 12's parsers cpp-httplib's takes no line over 8 KiB and answers errors
// by itself, and http-parser's is built without checks of the chunks' framing.
#include "server/http/request_parser.h"

#include <algorithm>
#include <charconv>

namespace tern::http {
namespace {

constexpr size_t kMaxTargetBytes = 8 << 10;
constexpr size_t kMaxRequestLineBytes = kMaxTargetBytes + 64;  // with the method and the version
constexpr size_t kMaxHeaderBytes = 64 << 10;                   // of all lines, with their ends
constexpr size_t kMaxChunkLineBytes = 4 << 10;                 // with its extensions
constexpr size_t kLineEnd = 2;

// RFC 9110's token: what methods and names of headers are made of.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != kMarks.npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7F; });
}

// "HTTP/1.1" and the like.
bool is_version(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
         is_digit(text[7]);
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool read_number(std::string_view text, int base, uint64_t* out) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *out, base);
  return error == std::errc() && rest == end && !text.empty();
}

// Whether a list like "keep-alive, Upgrade" has `word`.
bool has_word(const std::string& list, std::string_view word) {
  std::string_view rest = list;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(','), rest.size());
    if (trim(rest.substr(0, end)) == word) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

// %41 → A; what is no escape stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    uint64_t byte = 0;
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && read_number(text.substr(i + 1, 2), 16, &byte);
    out += escape ? static_cast<char>(byte) : text[i];
    if (escape) i += 2;
  }
  return out;
}

// The path of "/path?query" or "http://host/path?query".
std::string path_of(std::string_view target) {
  if (!target.starts_with('/')) {
    const size_t scheme = target.find("://");
    if (scheme == target.npos) return std::string(target);  // "*"
    const size_t path = target.find_first_of("/?", scheme + 3);
    if (path == target.npos || target[path] == '?') return "/";
    target.remove_prefix(path);
  }
  return percent_decoded(target.substr(0, target.find_first_of("?#")));
}

}  // namespace

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

Refusal malformed(std::string message, int status) {
  return {status,
          {.code = Code::kInvalidArgument,
           .reason = "MALFORMED_REQUEST",
           .message = std::move(message)}};
}

Refusal body_too_large(uint64_t limit) {
  return {413,
          {.code = Code::kInvalidArgument,
           .reason = "BODY_TOO_LARGE",
           .message = "the request's body has more than " + std::to_string(limit) +
                      " bytes (http.max_body_bytes)"}};
}

size_t RequestParser::feed(std::string_view bytes) {
  const size_t num_bytes = bytes.size();
  has_begun_ |= bytes.find_first_not_of("\r\n") != bytes.npos;
  const bool had_header = has_header();
  while (!bytes.empty() && !refusal_ && !is_complete() && has_header() == had_header)
    refusal_ = take_piece(&bytes);
  return num_bytes - bytes.size();
}

RequestParser::Error RequestParser::take_piece(std::string_view* bytes) {
  if (is_in_body()) {
    const size_t size = std::min<uint64_t>(left_, bytes->size());
    request_.body += bytes->substr(0, size);
    bytes->remove_prefix(size);
    left_ -= size;
    if (left_ == 0) state_ = is_chunked_ ? State::kChunkEnd : State::kDone;
    return {};
  }
  const size_t end = std::min(bytes->find('\n'), bytes->size());
  if (line_.size() + end > max_line_bytes()) return too_long();
  line_ += bytes->substr(0, end);
  const bool is_whole = end < bytes->size();
  bytes->remove_prefix(std::min(end + 1, bytes->size()));
  if (!is_whole) return {};
  std::string line = std::exchange(line_, {});
  const bool has_cr = line.ends_with('\r');
  if (has_cr) line.pop_back();
  return take_line(line, has_cr);
}

// A carriage return is one more.
size_t RequestParser::max_line_bytes() const {
  switch (state_) {
    case State::kRequestLine:
      return kMaxRequestLineBytes + 1;
    case State::kHeader:
    case State::kTrailer:
      return kMaxHeaderBytes - std::min(kMaxHeaderBytes, header_bytes_) + 1;
    default:
      return kMaxChunkLineBytes + 1;
  }
}

RequestParser::Error RequestParser::too_long() const {
  switch (state_) {
    case State::kRequestLine:
      return malformed(
          "the request's target has more than " + std::to_string(kMaxTargetBytes) + " bytes", 414);
    case State::kHeader:
    case State::kTrailer:
      return Refusal{431,
                     {.code = Code::kInvalidArgument,
                      .reason = "HEADER_TOO_LARGE",
                      .message = "the request's header lines have more than " +
                                 std::to_string(kMaxHeaderBytes) + " bytes"}};
    default:
      return malformed("a chunk's first line has more than " + std::to_string(kMaxChunkLineBytes) +
                       " bytes");
  }
}

RequestParser::Error RequestParser::take_line(std::string_view line, bool has_cr) {
  switch (state_) {
    case State::kRequestLine:
      return take_request_line(line);
    case State::kHeader:
    case State::kTrailer:
      if (state_ == State::kTrailer && !has_cr)
        return malformed("a line of the trailer does not end with CR LF");
      if (!line.empty()) return take_header_line(line);
      if (state_ == State::kHeader) return end_header();
      state_ = State::kDone;
      return {};
    case State::kChunkSize:
      if (!has_cr) return malformed("a chunk's first line does not end with CR LF");
      return begin_chunk(line);
    case State::kChunkEnd:
      if (!has_cr || !line.empty()) return malformed("a chunk does not end with CR LF");
      state_ = State::kChunkSize;
      return {};
    case State::kBody:
    case State::kChunk:
    case State::kDone:
      break;
  }
  return {};
}

RequestParser::Error RequestParser::take_request_line(std::string_view line) {
  if (line.empty()) return {};  // careless clients end the body before with one more
  const size_t first = line.find(' '), last = line.rfind(' ');
  const std::string_view version = last == line.npos ? "" : line.substr(last + 1);
  if (first == line.npos || first == last || !is_token(line.substr(0, first)) ||
      !is_version(version))
    return malformed("not an HTTP request: its first line is no METHOD TARGET HTTP/1.1");
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.empty() || has_control(target) || target.find_first_of(" \t") != target.npos)
    return malformed("the request's target is none");
  if (target.size() > kMaxTargetBytes) return too_long();
  request_.method = line.substr(0, first);
  request_.path = path_of(target);
  is_http_1_ = version[5] == '1';
  is_http_1_0_ = version == "HTTP/1.0";
  state_ = State::kHeader;
  return {};
}

RequestParser::Error RequestParser::take_header_line(std::string_view line) {
  header_bytes_ += line.size() + kLineEnd;
  if (header_bytes_ > kMaxHeaderBytes) return too_long();
  const size_t colon = line.find(':');
  if (colon == line.npos || !is_token(line.substr(0, colon)))
    return malformed("a header line is no NAME: VALUE");
  std::string name = lower(std::string(line.substr(0, colon)));
  const std::string value(trim(line.substr(colon + 1)));
  if (name != "x-request-id" && has_control(value))  // there they are replaced
    return malformed("a control character in the header " + name);
  if (state_ == State::kTrailer) return {};  // nothing here asks for one
  const auto [known, is_new] = request_.headers.try_emplace(std::move(name), value);
  if (!is_new && known->first == "host") return malformed("several Host headers");
  if (!is_new) known->second += ", " + value;
  return {};
}

RequestParser::Error RequestParser::end_header() {
  if (!is_http_1_) return malformed("only HTTP/1.0 and HTTP/1.1 are spoken here", 505);
  const auto host = request_.headers.find("host");
  if (host == request_.headers.end() && !is_http_1_0_) return malformed("no Host header");
  // Some clients name the path of a unix socket here; nobody asks what it names.
  if (host != request_.headers.end() && host->second.find_first_of(" \t") != std::string::npos)
    return malformed("the Host header has white space");
  const std::string connection = lower(request_.header("connection"));
  keeps_alive_ = is_http_1_0_ ? has_word(connection, "keep-alive") : !has_word(connection, "close");
  const auto encoding = request_.headers.find("transfer-encoding");
  const auto length = request_.headers.find("content-length");
  is_chunked_ = encoding != request_.headers.end();
  if (is_chunked_ && length != request_.headers.end())
    return malformed("Content-Length beside Transfer-Encoding: the body's end is not clear");
  if (is_chunked_ && (lower(encoding->second) != "chunked" || is_http_1_0_))
    return malformed("Transfer-Encoding: only chunked is taken, and only by HTTP/1.1");
  if (length != request_.headers.end()) {
    const std::string& digits = length->second;
    if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos)
      return malformed("Content-Length is no number of bytes, or there are several");
    if (!read_number(digits, 10, &left_) || left_ > max_body_bytes_)
      return body_too_large(max_body_bytes_);
  }
  has_body_ = is_chunked_ || left_ > 0;
  state_ = is_chunked_ ? State::kChunkSize : has_body_ ? State::kBody : State::kDone;
  return {};
}

RequestParser::Error RequestParser::begin_chunk(std::string_view line) {
  std::string_view digits = line.substr(0, line.find(';'));
  digits = digits.substr(0, digits.find_last_not_of(" \t") + 1);
  if (digits.empty() || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos ||
      has_control(line))
    return malformed("a chunk's size is no hexadecimal number");
  if (!read_number(digits, 16, &left_) || left_ > max_body_bytes_ - request_.body.size())
    return body_too_large(max_body_bytes_);
  state_ = left_ > 0 ? State::kChunk : State::kTrailer;
  return {};
}

}  // namespace tern::http
