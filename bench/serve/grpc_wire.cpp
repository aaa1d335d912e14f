#include "bench/serve/grpc_wire.h"

#include <charconv>

namespace tern::bench {
namespace {

constexpr size_t kPrefixBytes = 5;  // a flag, and the length in big-endian order
constexpr size_t kMaxMessageBytes = 64 << 20;

size_t length_of(std::string_view prefix) {
  size_t length = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i)
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  return length;
}

// -1 where `c` is no digit of base 64.
int digit_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

std::string frame_grpc_message(std::string_view message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += char(message.size() >> shift & 255);
  return out.append(message);
}

Status GrpcMessageReader::feed(std::string_view bytes, const OnMessage& on_message) {
  // Most often a piece is one whole message, which is then not copied.
  if (!partial_.empty()) {
    partial_ += bytes;
    bytes = partial_;
  }
  while (bytes.size() >= kPrefixBytes) {
    const size_t length = length_of(bytes);
    if (bytes[0] != 0) return Status(Code::kUnimplemented, "a message of the stream is compressed");
    if (length > kMaxMessageBytes)
      return Status(Code::kOutOfRange, "a message of the stream is over 64 MiB");
    if (bytes.size() < kPrefixBytes + length) break;
    TERN_TRY(on_message(bytes.substr(kPrefixBytes, length)));
    bytes.remove_prefix(kPrefixBytes + length);
  }
  partial_ = std::string(bytes);
  return {};
}

void GrpcStatus::take_header(std::string_view name, std::string_view value) {
  if (name == "grpc-status") {
    if (std::from_chars(value.data(), value.data() + value.size(), code).ec != std::errc())
      code = 2;  // UNKNOWN, as the protocol says
  } else if (name == "grpc-message") {
    message = percent_decode(value);
  } else if (name == "grpc-status-details-bin") {
    details = base64_decode(value);
  }
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 1] + 2, value, 16).ptr == &text[i + 1] + 2) {
      out += char(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string base64_decode(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = digit_of(c);
    if (digit < 0) break;
    bits = bits << 6 | uint32_t(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += char(bits >> count & 255);
  }
  return out;
}

}  // namespace tern::bench
