#include "engine/text/parts/charsmap.h"

namespace tern {
namespace {

constexpr size_t kMaxReplacementBytes = 256;  // of one to a few characters

// A unit of darts-clone's double array: the byte that leads here (bits 0-7, and bit 31 where it is
// a value instead), whether a value hangs here (bit 8), and the offset of the children.
uint32_t label(uint32_t unit) {
  return unit & (uint32_t(1) << 31 | 0xff);
}

bool has_value(uint32_t unit) {
  return unit >> 8 & 1;
}

uint32_t value(uint32_t unit) {
  return unit & ~(uint32_t(1) << 31);
}

uint32_t offset(uint32_t unit) {
  return (unit >> 10) << ((unit & uint32_t(1) << 9) >> 6);
}

uint32_t read_u32(std::string_view bytes, size_t at) {
  uint32_t word = 0;
  for (int i = 3; i >= 0; --i) word = word << 8 | static_cast<uint8_t>(bytes[at + size_t(i)]);
  return word;
}

}  // namespace

Result<Charsmap> Charsmap::parse(std::string_view bytes) {
  Charsmap map;
  if (bytes.empty()) return map;
  const size_t size = bytes.size() < 4 ? 0 : read_u32(bytes, 0);
  if (size == 0 || size % 4 != 0 || size >= bytes.size() - 4)
    return invalid_argument("the precompiled charsmap of " + std::to_string(bytes.size()) +
                            " bytes is broken: its trie would have " + std::to_string(size));
  for (size_t at = 4; at < 4 + size; at += 4) map.units_.push_back(read_u32(bytes, at));
  map.replacements_ = bytes.substr(4 + size);
  if (map.replacements_.back() != '\0')
    return invalid_argument("the precompiled charsmap is broken: its last replacement has no end");
  for (size_t at = 0, end = 0; at < map.replacements_.size(); at = end + 1) {
    end = map.replacements_.find('\0', at);
    if (end - at > kMaxReplacementBytes)
      return invalid_argument("the precompiled charsmap has a replacement of " +
                              std::to_string(end - at) + " bytes, limit " +
                              std::to_string(kMaxReplacementBytes));
  }
  return map;
}

Charsmap::Match Charsmap::find(std::string_view text, bool longest) const {
  Match match;
  if (units_.empty()) return match;
  size_t node = offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_value(unit) || node >= units_.size()) continue;
    const uint32_t at = value(units_[node]);
    if (at >= replacements_.size()) continue;
    match = {i + 1, std::string_view(replacements_.c_str() + at)};
    if (!longest) break;
  }
  return match;
}

}  // namespace tern
