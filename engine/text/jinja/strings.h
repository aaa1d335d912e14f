// Python's operations on strings that chat templates use. Texts are valid UTF-8.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/text/jinja/value.h"

namespace tern::jinja {

/// Returns the text without white space, or without the characters of `set`, at one end or both.
std::string_view strip_left(std::string_view text, std::optional<std::string_view> set = {});
std::string_view strip_right(std::string_view text, std::optional<std::string_view> set = {});
std::string_view strip(std::string_view text, std::optional<std::string_view> set = {});

/// str.split: at white space where `separator` is not given, at most `max_splits` times (negative:
/// any).
std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               int64_t max_splits);
std::vector<std::string> split_from_right(std::string_view text,
                                          std::optional<std::string_view> separator,
                                          int64_t max_splits);
/// str.splitlines.
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);

/// str.replace, at most `max_count` times (negative: any). kInvalidArgument where the result would
/// exceed `max_bytes`.
Result<std::string> replace_all(std::string_view text, std::string_view old_part,
                                std::string_view new_part, int64_t max_count, size_t max_bytes);

/// textwrap.wrap of one line, in lines of at most `width` characters.
struct Wrap {
  size_t width = 79;
  bool break_long_words = true;
  bool break_on_hyphens = true;
};
std::vector<std::string> wrap_line(std::string_view line, const Wrap& wrap);

/// `text` of `width` characters or more, `fill` at its ends: str.ljust, str.rjust, str.center.
std::string pad(std::string_view text, size_t left, size_t right, std::string_view fill = " ");

/// & < > ' " as HTML's entities.
std::string escape_html(std::string_view text);

/// The inside of a string literal: \n, \x41, \u00e9, ….
Result<std::string> unescape(std::string_view text);

}  // namespace tern::jinja
