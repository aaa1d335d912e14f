#include "engine/text/parts/byte_level.h"

#include <array>
#include <cstdint>

#include "base/utf8_char.h"

namespace tern {
namespace {

constexpr int kTableSize =
    0x144;  // the 68 bytes without a character of their own are U+0100 and up

struct Tables {
  std::array<char32_t, 256> char_of{};
  std::array<int16_t, kTableSize> byte_of{};
};

constexpr bool is_visible_latin1(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

constexpr Tables make_tables() {
  Tables t;
  for (int16_t& byte : t.byte_of) byte = -1;
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    t.char_of[byte] = is_visible_latin1(byte) ? char32_t(byte) : next++;
    t.byte_of[t.char_of[byte]] = int16_t(byte);
  }
  return t;
}

constexpr Tables kTables = make_tables();

}  // namespace

void append_byte_level(std::string& out, std::string_view bytes) {
  for (const char c : bytes) append_utf8(out, kTables.char_of[static_cast<uint8_t>(c)]);
}

std::optional<std::string> byte_level_decode(std::string_view piece) {
  std::string bytes;
  while (!piece.empty()) {
    const Utf8Char c = first_char(piece);
    const bool known = c.state == Utf8Char::State::kValid && c.code_point < kTableSize;
    if (!known || kTables.byte_of[c.code_point] < 0) return std::nullopt;
    bytes += char(kTables.byte_of[c.code_point]);
    piece.remove_prefix(c.size);
  }
  return bytes;
}

}  // namespace tern
