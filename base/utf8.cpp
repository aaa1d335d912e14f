#include "base/utf8.h"

#include <algorithm>

#include "base/utf8_char.h"

namespace tern {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

/// What a lead byte promises: how many bytes follow, and the range of the first of them, which
/// rules out overlong forms, surrogates and values over U+10FFFF.
struct Lead {
  int following = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
  bool valid = true;
};

Lead classify(uint8_t byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return {1};
  if (byte == 0xe0) return {2, 0xa0, 0xbf};
  if (byte == 0xed) return {2, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return {2};
  if (byte == 0xf0) return {3, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3) return {3};
  if (byte == 0xf4) return {3, 0x80, 0x8f};
  return {.valid = false};
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// Appends the characters of `bytes` to `out`, U+FFFD for what is invalid, and returns the length
/// of the unfinished character at the end.
size_t sanitize_onto(std::string& out, std::string_view bytes) {
  for (size_t i = 0; i < bytes.size();) {
    const Utf8Char c = first_char(bytes.substr(i));
    if (c.state == Utf8Char::State::kIncomplete) return bytes.size() - i;
    out += c.state == Utf8Char::State::kValid ? bytes.substr(i, c.size) : kReplacement;
    i += c.size;
  }
  return 0;
}

}  // namespace

Utf8Char first_char(std::string_view text) {
  using State = Utf8Char::State;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return {State::kValid, 1, byte(0)};
  const Lead lead = classify(byte(0));
  if (!lead.valid) return {State::kInvalid, 1, 0};
  char32_t code_point = byte(0) & (0x3f >> lead.following);
  for (int i = 1; i <= lead.following; ++i) {
    if (size_t(i) == text.size()) return {State::kIncomplete, uint8_t(i), 0};
    const uint8_t low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xbf;
    if (byte(i) < low || byte(i) > high) return {State::kInvalid, uint8_t(i), 0};
    code_point = code_point << 6 | (byte(i) & 0x3f);
  }
  return {State::kValid, uint8_t(lead.following + 1), code_point};
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += char(c);
  } else if (c < 0x800) {
    out += {char(0xc0 | c >> 6), char(0x80 | (c & 0x3f))};
  } else if (c < 0x10000) {
    out += {char(0xe0 | c >> 12), char(0x80 | (c >> 6 & 0x3f)), char(0x80 | (c & 0x3f))};
  } else {
    out += {char(0xf0 | c >> 18), char(0x80 | (c >> 12 & 0x3f)), char(0x80 | (c >> 6 & 0x3f)),
            char(0x80 | (c & 0x3f))};
  }
}

size_t num_chars(std::string_view text) {
  return text.size() - size_t(std::count_if(text.begin(), text.end(), is_continuation));
}

size_t char_offset(std::string_view text, size_t index) {
  size_t i = 0;
  for (; i < text.size(); ++i)
    if (!is_continuation(text[i]) && index-- == 0) break;
  return i;
}

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = first_char(text.substr(i));
    if (c.state != Utf8Char::State::kValid) return i;
    i += c.size;
  }
  return std::nullopt;
}

std::string sanitize_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  if (sanitize_onto(text, bytes) > 0) text += kReplacement;
  return text;
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  std::string text;
  const size_t unfinished = sanitize_onto(text, pending_);
  pending_.erase(0, pending_.size() - unfinished);
  return text;
}

std::string Utf8Stream::finish() {
  const bool unfinished = !pending_.empty();
  pending_.clear();
  return std::string(unfinished ? kReplacement : "");
}

}  // namespace tern
