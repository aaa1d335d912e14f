// Regular expressions of tokenizer files, by PCRE2. Patterns and texts are untrusted: matching is
// bounded, so that the worst is an error.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

struct pcre2_real_code_8;

namespace tern {

/// Bytes [begin, end) of a text.
struct Span {
  size_t begin = 0;
  size_t end = 0;
};

/// A compiled pattern. Immutable; any thread.
class Regex {
 public:
  /// `pattern` in the dialect of tokenizer files (Oniguruma's: `^` and `$` at every line, Unicode's
  /// own white space). kInvalidArgument with the offset of the mistake; kUnimplemented where PCRE2
  /// would read the pattern otherwise than Oniguruma.
  static Result<Regex> compile(std::string_view pattern);

  /// `text` itself, character by character, as a pattern.
  static Result<Regex> literal(std::string_view text);

  /// All matches from left to right, without overlaps, appended to `matches`. `text` is valid
  /// UTF-8. kInvalidArgument where the search exceeds its limits.
  Status find_all(std::string_view text, std::vector<Span>& matches) const;

  /// `text` with `content` in place of every match. Errors as find_all().
  Result<std::string> replace_all(std::string_view text, std::string_view content) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  using Code = std::unique_ptr<pcre2_real_code_8, Free>;
  static Result<Regex> compile(std::string_view pattern, uint32_t options);
  static Result<Code> compile_code(std::string_view pattern, uint32_t options);

  Code code_;
};

/// `pattern` as PCRE2 must read it to mean what it means to Oniguruma. See Regex::compile.
Result<std::string> translate_oniguruma(std::string_view pattern);

}  // namespace tern
