// UTF-8: validation, and a stream that lets only whole characters through.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tern {

/// Offset of the first byte that is not valid UTF-8 (overlong forms, surrogates and values over
/// U+10FFFF are not), or nothing where all of it is valid.
std::optional<size_t> find_invalid_utf8(std::string_view text);

/// `bytes` with each maximal invalid part replaced by U+FFFD (the WHATWG and Python practice).
std::string sanitize_utf8(std::string_view bytes);

/// Turns the bytes of tokens, as they come, into text of whole characters. One thread.
class Utf8Stream {
 public:
  /// The characters that are complete after `bytes`; an unfinished one is held back (at most 3
  /// bytes). Invalid bytes come out as U+FFFD as soon as they are known to be invalid. The
  /// concatenation of all push() and finish() equals sanitize_utf8 of all bytes, however they are
  /// split.
  std::string push(std::string_view bytes);

  /// U+FFFD where a character was never finished, else nothing. The stream is empty then.
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace tern
