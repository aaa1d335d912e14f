// Lines of words, as Python's textwrap breaks them.
#include "base/utf8_char.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Characters = std::u32string;

Characters characters_of(std::string_view text) {
  Characters out;
  for (; !text.empty(); text.remove_prefix(first_char(text).size))
    out += first_char(text).code_point;
  return out;
}

std::string text_of(std::u32string_view characters) {
  std::string out;
  for (const char32_t c : characters) append_utf8(out, c);
  return out;
}

bool is_wrap_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == ' ';
}

bool is_blank(std::u32string_view chunk) {
  for (const char32_t c : chunk)
    if (!is_python_space(c)) return false;
  return true;
}

/// Cuts a line where it may be broken: textwrap's wordsep_re, by hand.
class Splitter {
 public:
  Splitter(std::u32string_view text, bool break_on_hyphens)
      : text_(text), break_on_hyphens_(break_on_hyphens) {}

  std::vector<std::u32string_view> run() {
    std::vector<std::u32string_view> chunks;
    for (size_t begin = 0; begin < text_.size();) {
      const size_t end = chunk_end(begin);
      chunks.push_back(text_.substr(begin, end - begin));
      begin = end;
    }
    return chunks;
  }

 private:
  char32_t at(size_t i) const { return i < text_.size() ? text_[i] : U'\0'; }
  bool is_word_at(size_t i) const { return i < text_.size() && is_word(text_[i]); }
  bool is_letter_at(size_t i) const {
    return i < text_.size() && is_word(text_[i]) && !is_decimal(text_[i]);
  }
  bool is_word_or_mark_at(size_t i) const {
    constexpr std::u32string_view kMarks = U"!\"'&.,?";
    return is_word_at(i) || (i < text_.size() && kMarks.find(text_[i]) != kMarks.npos);
  }

  size_t chunk_end(size_t begin) const {
    size_t end = begin;
    if (is_wrap_space(text_[begin])) {
      while (end < text_.size() && is_wrap_space(text_[end])) ++end;
      return end;
    }
    if (break_on_hyphens_ && begin > 0 && is_word_or_mark_at(begin - 1)) {
      if (const size_t dash = dash_end(begin)) return dash;
    }
    for (end = begin + 1; end < text_.size() && !is_wrap_space(text_[end]); ++end) {
      if (!break_on_hyphens_) continue;
      if (is_hyphen(begin, end)) return end + 1;
      if (is_word_or_mark_at(end - 1) && dash_end(end)) return end;
    }
    return end;
  }

  /// The end of two or more hyphens at `begin` with a word behind; 0 where there are none.
  size_t dash_end(size_t begin) const {
    size_t end = begin;
    while (at(end) == '-') ++end;
    return end >= begin + 2 && is_word_at(end) ? end : 0;
  }

  /// Whether the word from `begin` on may be broken behind the hyphen at `i`.
  bool is_hyphen(size_t begin, size_t i) const {
    if (at(i) != '-' || i <= begin) return false;
    const bool behind =
        i >= 2 && is_letter_at(i - 1) &&
        (is_letter_at(i - 2) || (i >= 3 && at(i - 2) == '-' && is_letter_at(i - 3)));
    const bool ahead =
        is_letter_at(i + 1) && (is_letter_at(i + 2) || (at(i + 2) == '-' && is_letter_at(i + 3)));
    return behind && ahead;
  }

  std::u32string_view text_;
  bool break_on_hyphens_;
};

/// Where textwrap breaks a word that is longer than a line: behind its last hyphen that fits.
size_t long_word_end(std::u32string_view word, size_t space, bool break_on_hyphens) {
  if (break_on_hyphens && word.size() > space && space > 0) {
    const size_t hyphen = word.rfind(U'-', space - 1);
    const bool has_letters = hyphen != word.npos && hyphen > 0 &&
                             word.substr(0, hyphen).find_first_not_of(U'-') != word.npos;
    if (has_letters) return hyphen + 1;
  }
  return space;
}

}  // namespace

std::vector<std::string> wrap_line(std::string_view line, const Wrap& wrap) {
  const Characters text = characters_of(line);
  std::vector<std::u32string_view> chunks = Splitter(text, wrap.break_on_hyphens).run();
  std::vector<std::string> lines;
  for (size_t next = 0; next < chunks.size();) {
    if (!lines.empty() && is_blank(chunks[next])) ++next;  // Python drops one chunk at most
    Characters current;
    std::vector<size_t> begins;  // of the chunks in `current`
    const auto take = [&](std::u32string_view chunk) {
      begins.push_back(current.size());
      current += chunk;
    };
    while (next < chunks.size() && current.size() + chunks[next].size() <= wrap.width)
      take(chunks[next++]);
    if (next < chunks.size() && chunks[next].size() > wrap.width) {
      const size_t space = wrap.width - current.size();
      if (wrap.break_long_words) {
        const size_t end = long_word_end(chunks[next], space, wrap.break_on_hyphens);
        take(chunks[next].substr(0, end));
        chunks[next].remove_prefix(end);
      } else if (current.empty()) {
        take(chunks[next++]);
      }
    }
    if (!begins.empty() && is_blank(std::u32string_view(current).substr(begins.back())))
      current.erase(begins.back());
    if (!current.empty()) lines.push_back(text_of(current));
  }
  return lines;
}

}  // namespace tern::jinja
