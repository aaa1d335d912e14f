#include "engine/text/parts/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/utf8_char.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

// Far above what real patterns need for megabytes of text, far below what anybody would wait for.
constexpr uint32_t kMaxMatchSteps = 50'000'000;
constexpr uint32_t kMaxHeapKib = 256 << 10;
constexpr size_t kJitStackBytes = size_t(32) << 20;

template <auto kFree>
struct FreeBy {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using MatchData = std::unique_ptr<pcre2_match_data, FreeBy<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, FreeBy<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, FreeBy<pcre2_jit_stack_free>>;

std::string error_text(int error) {
  unsigned char text[256] = {};
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

/// What one find_all() needs of its own: a compiled pattern is shared between threads.
class Matcher {
 public:
  explicit Matcher(const pcre2_code* code)
      : code_(code),
        data_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)) {
    TERN_CHECK(data_ && context_, "out of memory");
    pcre2_set_match_limit(context_.get(), kMaxMatchSteps);
    pcre2_set_depth_limit(context_.get(), kMaxMatchSteps);
    pcre2_set_heap_limit(context_.get(), kMaxHeapKib);
  }

  /// 1 with the match in `span`, PCRE2_ERROR_NOMATCH, or another of PCRE2's errors.
  int match(std::string_view text, size_t start, Span& span) {
    int rc = run(text, start);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT &&
        !stack_) {  // rare: the machine's own stack does at first
      stack_.reset(pcre2_jit_stack_create(64 << 10, kJitStackBytes, nullptr));
      pcre2_jit_stack_assign(context_.get(), nullptr, stack_.get());
      rc = run(text, start);
    }
    const size_t* offsets = pcre2_get_ovector_pointer(data_.get());
    if (rc >= 0) span = {offsets[0], offsets[1]};
    return rc < 0 ? rc : 1;
  }

 private:
  int run(std::string_view text, size_t start) {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                       PCRE2_NO_UTF_CHECK, data_.get(), context_.get());
  }

  const pcre2_code* code_;
  MatchData data_;
  MatchContext context_;
  JitStack stack_;
};

// PCRE2 counts U+180E as \s and knows fewer \w; these are Oniguruma's, to be put between [ and ].
constexpr std::string_view kSpace = R"(\p{Z}\x09-\x0d\x{85})";
constexpr std::string_view kWord = R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9})";

Status untranslatable(std::string_view what) {
  return {Code::kUnimplemented, "pattern uses " + std::string(what)};
}

/// The class escape after a backslash, in or outside of brackets.
Result<std::string> translate_escape(char c, bool in_brackets) {
  if (c == 'h' || c == 'H')
    return untranslatable("\\h, which Oniguruma reads as a hexadecimal digit");
  const bool negated = c == 'S' || c == 'W';
  if (c != 's' && c != 'w' && !negated) return std::string{'\\', c};
  const std::string members(c == 's' || c == 'S' ? kSpace : kWord);
  if (!in_brackets) return (negated ? "[^" : "[") + members + "]";
  if (negated) return untranslatable(std::string("\\") + c + " within brackets");
  return members;
}

}  // namespace

Result<std::string> translate_oniguruma(std::string_view pattern) {
  std::string out;
  bool in_brackets = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      TERN_ASSIGN(const std::string escape, translate_escape(pattern[++i], in_brackets));
      out += escape;
      continue;
    }
    if (in_brackets && c == '[' && pattern.substr(i, 2) != "[:")
      return untranslatable("brackets within brackets");
    if (in_brackets && pattern.substr(i, 2) == "&&") return untranslatable("&& within brackets");
    out += c;
    if (in_brackets && pattern.substr(i, 2) == "[:") {
      const size_t end = pattern.find(":]", i);
      if (end == pattern.npos) continue;
      out += pattern.substr(i + 1, end + 1 - i);
      i = end + 1;
    } else if (c == '[' && !in_brackets) {
      in_brackets = true;
      if (pattern.substr(i + 1, 1) == "^") out += pattern[++i];
      if (pattern.substr(i + 1, 1) == "]") out += pattern[++i];  // a literal one
    } else if (c == ']') {
      in_brackets = false;
    }
  }
  return out;
}

void Regex::Free::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

Result<Regex::Code> Regex::compile_code(std::string_view pattern, uint32_t options) {
  int error = 0;
  size_t offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                          options | PCRE2_UTF, &error, &offset, nullptr));
  if (!code)
    return invalid_argument("pattern " + in_quotes(pattern) + " at offset " +
                            std::to_string(offset) + ": " + error_text(error));
  return code;
}

Result<Regex> Regex::compile(std::string_view pattern) {
  TERN_ASSIGN(const std::string translated, translate_oniguruma(pattern));
  return compile(translated, PCRE2_UCP | PCRE2_MULTILINE);
}

Result<Regex> Regex::literal(std::string_view text) {
  return compile(text, PCRE2_LITERAL);
}

Result<Regex> Regex::compile(std::string_view pattern, uint32_t options) {
  Regex regex;
  TERN_ASSIGN(regex.code_, compile_code(pattern, options | PCRE2_MATCH_INVALID_UTF));
  // Without a JIT (some systems forbid one) PCRE2's interpreter does the same more slowly. With
  // MATCH_INVALID_UTF it would also check the whole rest of the text at every match, in quadratic
  // time; find_all() gets valid texts only, so that nothing is lost.
  if (pcre2_jit_compile(regex.code_.get(), PCRE2_JIT_COMPLETE) != 0) {
    TERN_ASSIGN(regex.code_, compile_code(pattern, options));
  }
  return regex;
}

Status Regex::find_all(std::string_view text, std::vector<Span>& matches) const {
  Matcher matcher(code_.get());
  size_t last_end = std::string_view::npos;
  for (size_t start = 0; start <= text.size();) {
    Span span;
    const int rc = matcher.match(text, start, span);
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0)
      return invalid_argument("the tokenizer's pattern fails at byte " + std::to_string(start) +
                              " of a text: " + error_text(rc));
    if (span.begin < start || span.end < span.begin)  // \K can do that
      return invalid_argument("the tokenizer's pattern matches backwards");
    const bool empty = span.begin == span.end;
    if (!empty || span.end != last_end) matches.push_back(span);
    last_end = start = span.end;
    if (empty) start += start < text.size() ? first_char(text.substr(start)).size : 1;
  }
  return {};
}

Result<std::string> Regex::replace_all(std::string_view text, std::string_view content) const {
  std::vector<Span> matches;
  TERN_TRY(find_all(text, matches));
  std::string out;
  size_t done = 0;
  for (const Span& match : matches) {
    out += text.substr(done, match.begin - done);
    out += content;
    done = match.end;
  }
  out += text.substr(done);
  return out;
}

}  // namespace tern
