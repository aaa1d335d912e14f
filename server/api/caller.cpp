#include "server/api/caller.h"

#include <algorithm>

namespace tern {
namespace {

constexpr size_t kVersion0Bytes = 55;  // 00-<32 hex digits>-<16>-<2>
constexpr size_t kMostBytes = 512;     // later versions may say more

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == text.npos;
}

bool is_valid(std::string_view text) {
  if (text.size() < kVersion0Bytes || text.size() > kMostBytes) return false;
  const std::string_view version = text.substr(0, 2), trace = text.substr(3, 32),
                         parent = text.substr(36, 16), flags = text.substr(53, 2);
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  if (!is_hex(version) || version == "ff" || !is_hex(trace) || !is_hex(parent) || !is_hex(flags))
    return false;
  if (is_zero(trace) || is_zero(parent)) return false;
  const std::string_view rest = text.substr(kVersion0Bytes);
  if (version == "00") return rest.empty();
  return rest.empty() || (rest[0] == '-' && std::all_of(rest.begin(), rest.end(), [](char c) {
                            return c > ' ' && c <= '~';
                          }));
}

}  // namespace

std::string valid_traceparent(std::string_view header) {
  return is_valid(header) ? std::string(header) : "";
}

}  // namespace tern
