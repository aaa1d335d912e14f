// Unicode's normalization forms and the properties of characters that tokenizers ask for, from
// utf8proc's tables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tern {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

/// Valid UTF-8 in the given form. O(n log n) whatever the text: long runs of combining marks too.
std::string to_unicode_form(std::string_view text, UnicodeForm form);

/// Appends the lower case of `c`, one character on its own: of U+0130 it is two.
void append_lower_case(std::string& out, char32_t c);

bool is_mark(char32_t c);             ///< general category M
bool is_nonspacing_mark(char32_t c);  ///< Mn
bool is_other(char32_t c);            ///< Cc, Cf, Co (and no unassigned characters)

/// Bytes of the first extended grapheme cluster of valid UTF-8 that is not empty.
size_t first_grapheme_size(std::string_view text);

}  // namespace tern
