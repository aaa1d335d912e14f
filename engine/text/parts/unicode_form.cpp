#include "engine/text/parts/unicode_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/utf8_char.h"

namespace tern {
namespace {

using Characters = std::vector<utf8proc_int32_t>;

// utf8proc itself sorts marks by neighbours' swaps, in quadratic time for a long run of them.
void sort_marks(Characters& characters) {
  const auto mark_class = [](utf8proc_int32_t c) {
    return utf8proc_get_property(c)->combining_class;
  };
  for (auto begin = characters.begin(); begin != characters.end();) {
    if (mark_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, characters.end(), [&](auto c) { return !mark_class(c); });
    std::stable_sort(begin, end, [&](auto a, auto b) { return mark_class(a) < mark_class(b); });
    begin = end;
  }
}

Characters decompose(std::string_view text, utf8proc_option_t options) {
  constexpr size_t kMaxPerCharacter = 18;  // U+FDFA
  Characters characters(text.size() + kMaxPerCharacter);
  size_t size = 0;
  while (!text.empty()) {
    const Utf8Char c = first_char(text);
    text.remove_prefix(c.size);
    if (characters.size() - size < kMaxPerCharacter) characters.resize(characters.size() * 2);
    int boundary = 0;
    const auto added =
        utf8proc_decompose_char(utf8proc_int32_t(c.code_point), characters.data() + size,
                                utf8proc_ssize_t(characters.size() - size), options, &boundary);
    TERN_CHECK(added >= 0 && size + size_t(added) <= characters.size(),
               "utf8proc decomposes every character into at most 18");
    size += size_t(added);
  }
  characters.resize(size);
  return characters;
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(utf8proc_int32_t(c));
}

}  // namespace

std::string to_unicode_form(std::string_view text, UnicodeForm form) {
  if (std::ranges::all_of(text, [](char c) { return static_cast<uint8_t>(c) < 0x80; }))
    return std::string(text);
  const bool compatibility = form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
  const bool composed = form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
  Characters characters =
      decompose(text, utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                        (compatibility ? UTF8PROC_COMPAT : utf8proc_option_t(0))));
  sort_marks(characters);
  if (composed) {
    const auto size =
        utf8proc_normalize_utf32(characters.data(), utf8proc_ssize_t(characters.size()),
                                 utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    TERN_CHECK(size >= 0, "utf8proc composes what it decomposed");
    characters.resize(size_t(size));
  }
  std::string out;
  out.reserve(text.size());
  for (const utf8proc_int32_t c : characters) append_utf8(out, char32_t(c));
  return out;
}

void append_lower_case(std::string& out, char32_t c) {
  constexpr char32_t kCapitalIWithDot = 0x130;
  if (c == kCapitalIWithDot)
    out += "i\u0307";
  else
    append_utf8(out, char32_t(utf8proc_tolower(utf8proc_int32_t(c))));
}

bool is_mark(char32_t c) {
  const auto of = category(c);
  return of == UTF8PROC_CATEGORY_MN || of == UTF8PROC_CATEGORY_MC || of == UTF8PROC_CATEGORY_ME;
}

bool is_nonspacing_mark(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_MN;
}

bool is_other(char32_t c) {
  const auto of = category(c);
  return of == UTF8PROC_CATEGORY_CC || of == UTF8PROC_CATEGORY_CF || of == UTF8PROC_CATEGORY_CO;
}

size_t first_grapheme_size(std::string_view text) {
  utf8proc_int32_t state = 0;
  Utf8Char c = first_char(text);
  size_t size = c.size;
  while (size < text.size()) {
    const Utf8Char next = first_char(text.substr(size));
    if (utf8proc_grapheme_break_stateful(utf8proc_int32_t(c.code_point),
                                         utf8proc_int32_t(next.code_point), &state))
      break;
    size += next.size;
    c = next;
  }
  return size;
}

}  // namespace tern
