#include "engine/text/seen_text.h"

#include <unordered_map>

#include "base/utf8_char.h"
#include "engine/text/parts/unicode_form.h"

namespace tern {
namespace {

/// A character with the marks on it, which a tokenizer may compose.
size_t unit_size(std::string_view text) {
  size_t size = first_char(text).size;
  while (size < text.size() && is_mark(first_char(text.substr(size)).code_point))
    size += first_char(text.substr(size)).size;
  return size;
}

}  // namespace

SeenText see_text(std::string_view text, const Tokenizer* tokenizer) {
  SeenText out;
  std::unordered_map<std::string_view, std::string> known;
  int32_t num_chars_before = 0;
  for (size_t size = 0; !text.empty(); text.remove_prefix(size)) {
    size = unit_size(text);
    const std::string_view unit = text.substr(0, size);
    const auto [it, is_new] = known.try_emplace(unit);
    if (is_new) it->second = tokenizer ? tokenizer->normalized(unit) : std::string(unit);
    out.bytes += it->second;
    if (it->second != unit) {
      out.chars.insert(out.chars.end(), it->second.size(), num_chars_before);
      num_chars_before += int32_t(num_chars(unit));
      continue;
    }
    for (size_t at = 0; at < size; at += first_char(unit.substr(at)).size)
      out.chars.insert(out.chars.end(), first_char(unit.substr(at)).size, num_chars_before++);
  }
  out.chars.push_back(num_chars_before);
  return out;
}

}  // namespace tern
