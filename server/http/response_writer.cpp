#include "server/http/response_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/log.h"

namespace tern::http {
namespace {

constexpr size_t kCopiedBytes = 64 << 10;  // a body of so many goes out with its header, in one

const char* status_text(int status) {
  constexpr std::pair<int, const char*> kTexts[] = {
      {200, "OK"},
      {204, "No Content"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {499, "Client Closed Request"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  };
  for (const auto& [known, text] : kTexts)
    if (known == status) return text;
  return "Error";
}

// A header must not end its line, whatever its value was made of.
std::string one_line(std::string value) {
  std::replace_if(
      value.begin(), value.end(), [](unsigned char c) { return c < ' ' && c != '\t'; }, ' ');
  return value;
}

void add_header(std::string_view name, const std::string& value, std::string* out) {
  out->append(name).append(": ").append(one_line(value)).append("\r\n");
}

bool has_length(int status) {
  return status != 204 && status != 304;
}

std::string header_of(const Response& response, const ResponseFrame& frame, bool keeps_alive) {
  std::string out =
      "HTTP/1.1 " + std::to_string(response.status) + " " + status_text(response.status) + "\r\n";
  for (const auto& [name, value] : response.headers) add_header(name, value, &out);
  if (response.stream && !frame.is_http_1_0)
    add_header("Transfer-Encoding", "chunked", &out);
  else if (!response.stream && has_length(response.status))
    add_header("Content-Length", std::to_string(response.body.size()), &out);
  if (response.stream || !response.body.empty())
    add_header("Content-Type", response.content_type, &out);
  add_header("Connection", keeps_alive ? "keep-alive" : "close", &out);
  if (keeps_alive)
    add_header("Keep-Alive", "timeout=" + std::to_string(long(frame.idle.count())), &out);
  return out + "\r\n";
}

std::string as_chunk(std::string_view piece) {
  std::array<char, 16> size;
  const auto end = std::to_chars(size.data(), size.data() + size.size(), piece.size(), 16).ptr;
  return std::string(size.data(), end).append("\r\n").append(piece).append("\r\n");
}

// What goes wrong in a stream ends the connection and nothing else.
bool write_stream(const Response& response, bool chunked, Connection* connection) {
  try {
    response.stream([&](std::string_view piece) {
      if (piece.empty()) return true;  // an empty chunk would be the end
      return connection->write(chunked ? as_chunk(piece) : std::string(piece));
    });
  } catch (const std::exception& error) {
    spdlog::error("http: a stream failed: {}", error.what());
    return false;
  }
  return !chunked || connection->write("0\r\n\r\n");
}

}  // namespace

bool write_response(const Response& response, const ResponseFrame& frame, Connection* connection) {
  const bool ends_by_close = response.stream && frame.is_http_1_0;
  const bool keeps_alive = frame.keeps_alive && !ends_by_close;
  std::string header = header_of(response, frame, keeps_alive);
  if (frame.without_body || !has_length(response.status))
    return connection->write(header) && keeps_alive;
  if (response.stream)
    return connection->write(header) && write_stream(response, !frame.is_http_1_0, connection) &&
           keeps_alive;
  if (response.body.size() <= kCopiedBytes)
    return connection->write(header.append(response.body)) && keeps_alive;
  return connection->write(header) && connection->write(response.body) && keeps_alive;
}

}  // namespace tern::http
