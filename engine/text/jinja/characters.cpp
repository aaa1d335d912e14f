#include "engine/text/jinja/characters.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/unicode.h"
#include "base/utf8_char.h"

namespace tern::jinja {
namespace {

struct Range {
  char32_t first, last;
};

template <size_t kSize>
bool among(char32_t c, const Range (&ranges)[kSize]) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& r) { return c >= r.first && c <= r.last; });
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(utf8proc_int32_t(c));
}

/// Characters whose upper case is several (SpecialCasing.txt, without Greek's with iota below).
struct LongUpper {
  char32_t c;
  const char *upper, *title;
};
constexpr LongUpper kLongUpper[] = {
    {0xdf, "SS", "Ss"},   {0x149, "ʼN", "ʼN"},  {0x1f0, "J̌", "J̌"},      {0x390, "Ϊ́", "Ϊ́"},
    {0x3b0, "Ϋ́", "Ϋ́"},    {0x587, "ԵՒ", "Եւ"},  {0x1e96, "H̱", "H̱"},     {0x1e97, "T̈", "T̈"},
    {0x1e98, "W̊", "W̊"},   {0x1e99, "Y̊", "Y̊"},   {0x1e9a, "Aʾ", "Aʾ"},   {0xfb00, "FF", "Ff"},
    {0xfb01, "FI", "Fi"}, {0xfb02, "FL", "Fl"}, {0xfb03, "FFI", "Ffi"}, {0xfb04, "FFL", "Ffl"},
    {0xfb05, "ST", "St"}, {0xfb06, "ST", "St"}, {0xfb13, "ՄՆ", "Մն"},   {0xfb14, "ՄԵ", "Մե"},
    {0xfb15, "ՄԻ", "Մի"}, {0xfb16, "ՎՆ", "Վն"}, {0xfb17, "ՄԽ", "Մխ"},
};

const LongUpper* find_long_upper(char32_t c) {
  const auto* it = std::find_if(std::begin(kLongUpper), std::end(kLongUpper),
                                [&](const LongUpper& l) { return l.c == c; });
  return it == std::end(kLongUpper) ? nullptr : it;
}

void append_upper(std::string& out, char32_t c) {
  if (const LongUpper* several = find_long_upper(c))
    out += several->upper;
  else
    append_utf8(out, char32_t(utf8proc_toupper(utf8proc_int32_t(c))));
}

void append_title(std::string& out, char32_t c) {
  if (const LongUpper* several = find_long_upper(c))
    out += several->title;
  else
    append_utf8(out, char32_t(utf8proc_totitle(utf8proc_int32_t(c))));
}

/// What stands between a sigma and the letters that tell whether it ends a word.
bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return c == '\'' || c == '.' || c == ':' || c == 0xb7 || c == 0x2019 || c == 0x2018;
  }
}

/// Whether the first character of `rest` that counts is a letter with case.
bool is_cased_ahead(std::string_view rest) {
  while (!rest.empty()) {
    const Utf8Char c = first_char(rest);
    if (!is_case_ignorable(c.code_point)) return is_cased(c.code_point);
    rest.remove_prefix(c.size);
  }
  return false;
}

/// The same, seen from the end of `text`.
bool is_cased_behind(std::string_view text) {
  while (!text.empty()) {
    const std::string_view last = last_character(text);
    const char32_t c = first_char(last).code_point;
    if (!is_case_ignorable(c)) return is_cased(c);
    text.remove_suffix(last.size());
  }
  return false;
}

/// Appends the lower case of the character of `text` at `at`.
void append_lower(std::string& out, std::string_view text, size_t at) {
  const Utf8Char c = first_char(text.substr(at));
  constexpr char32_t kSigma = 0x3a3, kFinalSigma = 0x3c2;
  if (c.code_point == 0x130) {  // I with a dot
    out += "i̇";
  } else if (c.code_point == kSigma && is_cased_behind(text.substr(0, at)) &&
             !is_cased_ahead(text.substr(at + c.size))) {
    append_utf8(out, kFinalSigma);
  } else {
    append_utf8(out, char32_t(utf8proc_tolower(utf8proc_int32_t(c.code_point))));
  }
}

/// `f(out, at, code point)` for every character.
template <class F>
std::string map_characters(std::string_view text, F f) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = first_char(text.substr(at));
    f(out, at, c.code_point);
    at += c.size;
  }
  return out;
}

}  // namespace

bool is_python_space(char32_t c) {
  return is_white_space(c) || (c >= 0x1c && c <= 0x1f);
}

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  const utf8proc_category_t k = category(c);
  return k != UTF8PROC_CATEGORY_CN && k < UTF8PROC_CATEGORY_ZS;
}

bool is_alphabetic(char32_t c) {
  const utf8proc_category_t k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_ND;
}

bool is_digit(char32_t c) {
  constexpr Range kDigits[] = {
      {0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
      {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
      {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
      {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
      {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a}};
  return is_decimal(c) || among(c, kDigits);
}

bool is_numeric(char32_t c) {
  const utf8proc_category_t k = category(c);
  if (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO) return true;
  constexpr std::u32string_view kIdeographs =
      U"〇一二三四五六七八九十百千万萬億兆零壹貳參肆伍陸柒捌玖拾佰仟";
  return kIdeographs.find(c) != kIdeographs.npos;
}

bool is_word(char32_t c) {
  return c == '_' || is_alphabetic(c) || is_numeric(c);
}

bool is_lower(char32_t c) {
  constexpr Range kOthers[] = {
      {0xaa, 0xaa},       {0xba, 0xba},       {0x2b0, 0x2b8},     {0x2c0, 0x2c1},
      {0x2e0, 0x2e4},     {0x345, 0x345},     {0x37a, 0x37a},     {0x1d2c, 0x1d6a},
      {0x1d78, 0x1d78},   {0x1d9b, 0x1dbf},   {0x2071, 0x2071},   {0x207f, 0x207f},
      {0x2090, 0x209c},   {0x2170, 0x217f},   {0x24d0, 0x24e9},   {0x2c7c, 0x2c7d},
      {0xa69c, 0xa69d},   {0xa770, 0xa770},   {0xa7f8, 0xa7f9},   {0xab5c, 0xab5f},
      {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba}};
  return category(c) == UTF8PROC_CATEGORY_LL || among(c, kOthers);
}

bool is_upper(char32_t c) {
  constexpr Range kOthers[] = {{0x2160, 0x216f},
                               {0x24b6, 0x24cf},
                               {0x1f130, 0x1f149},
                               {0x1f150, 0x1f169},
                               {0x1f170, 0x1f189}};
  return category(c) == UTF8PROC_CATEGORY_LU || among(c, kOthers);
}

bool is_title(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LT;
}

std::string to_lower(std::string_view text) {
  return map_characters(
      text, [&](std::string& out, size_t at, char32_t) { append_lower(out, text, at); });
}

std::string to_upper(std::string_view text) {
  return map_characters(text, [](std::string& out, size_t, char32_t c) { append_upper(out, c); });
}

std::string casefold(std::string_view text) {
  return map_characters(text, [](std::string& out, size_t, char32_t c) {
    if (const LongUpper* several = find_long_upper(c)) {
      out += to_lower(several->upper);
      return;
    }
    if (c == 0x130) {  // I with a dot
      out += "i̇";
      return;
    }
    constexpr char32_t kMicro = 0xb5, kFinalSigma = 0x3c2, kLongS = 0x17f;
    const char32_t folded = c == kMicro        ? 0x3bc
                            : c == kFinalSigma ? 0x3c3
                            : c == kLongS      ? U's'
                                               : char32_t(utf8proc_tolower(utf8proc_int32_t(c)));
    if (c == 0x1e9e)  // capital sharp s
      out += "ss";
    else
      append_utf8(out, folded);
  });
}

std::string swapcase(std::string_view text) {
  return map_characters(text, [&](std::string& out, size_t at, char32_t c) {
    if (is_upper(c))
      append_lower(out, text, at);
    else if (is_lower(c))
      append_upper(out, c);
    else
      append_utf8(out, c);
  });
}

std::string capitalize(std::string_view text) {
  return map_characters(text, [&](std::string& out, size_t at, char32_t c) {
    if (at == 0)
      append_title(out, c);
    else
      append_lower(out, text, at);
  });
}

std::string title(std::string_view text) {
  bool in_word = false;
  return map_characters(text, [&](std::string& out, size_t at, char32_t c) {
    if (in_word)
      append_lower(out, text, at);
    else
      append_title(out, c);
    in_word = is_cased(c);
  });
}

}  // namespace tern::jinja
