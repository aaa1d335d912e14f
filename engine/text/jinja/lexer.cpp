#include "engine/text/jinja/lexer.h"

#include <algorithm>

#include "base/utf8_char.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Type = Token::Type;

/// Bytes of a name's character at the start of `text`; 0 where there is none.
size_t name_char_size(std::string_view text) {
  if (text.empty()) return 0;
  const Utf8Char c = first_char(text);
  return is_word(c.code_point) ? c.size : 0;
}

bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}

/// How many characters of `text` from `at` on are digits of `set`, with single underscores between,
/// and also in front where `underscore_first`.
size_t digits_size(std::string_view text, size_t at, std::string_view set,
                   bool underscore_first = false) {
  const auto is_one = [&](size_t i) { return i < text.size() && set.find(text[i]) != set.npos; };
  size_t end = at;
  while (is_one(end) || (end < text.size() && text[end] == '_' && is_one(end + 1) &&
                         (end > at || underscore_first)))
    ++end;
  return end - at;
}

/// All line ends as \n, less the one at the very end.
std::string normalize_newlines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && source.substr(i + 1, 1) == "\n") continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) TERN_TRY(lex_text_and_tag());
    add(Type::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  bool looking_at(std::string_view text) const { return rest().starts_with(text); }
  Status error(std::string_view message) const { return invalid_argument(at_line(line_, message)); }
  void add(Type type, std::string text) { tokens_.push_back({type, std::move(text), line_}); }

  void advance(size_t bytes) {
    line_ += int(std::count(source_.begin() + at_, source_.begin() + at_ + bytes, '\n'));
    at_ += bytes;
  }

  /// Text up to the next tag, then that tag whole.
  Status lex_text_and_tag() {
    const size_t begin = at_;
    size_t tag = begin;
    do {
      tag = source_.find('{', tag);
    } while (tag != source_.npos && !is_tag(tag) && ++tag);
    const size_t end = std::min(tag, source_.size());
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    const bool line_starting = begin == 0 || source_[begin - 1] == '\n';
    if (end < source_.size()) text = strip_before_tag(text, end, line_starting);
    if (!text.empty()) add(Type::kText, std::string(text));
    advance(end - begin);
    return end < source_.size() ? lex_tag() : Status();
  }

  bool is_tag(size_t i) const {
    const char next = i + 1 < source_.size() ? source_[i + 1] : ' ';
    return next == '{' || next == '%' || next == '#';
  }

  /// `text` without what the tag behind it takes from its end.
  std::string_view strip_before_tag(std::string_view text, size_t tag, bool line_starting) const {
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    if (sign == '-') return strip_right(text);
    if (sign == '+' || source_[tag + 1] == '{') return text;
    const size_t line = text.rfind('\n') + 1;  // npos + 1 is 0
    const bool blank = strip_right(text.substr(line)).empty();
    return blank && (line > 0 || line_starting) ? text.substr(0, line) : text;
  }

  /// Behind a tag whose last character before the bracket was `sign`. Tags other than {{ }} take
  /// one line end.
  void strip_after_tag(char sign, bool is_block) {
    if (sign == '-')
      advance(rest().size() - strip_left(rest()).size());
    else if (sign != '+' && is_block && looking_at("\n"))
      advance(1);
  }

  Status lex_tag() {
    const char kind = source_[at_ + 1];
    if (kind == '#') return skip_comment();
    if (kind == '%') {
      bool done = false;
      TERN_TRY(lex_raw(done));
      if (done) return {};
    }
    const bool is_block = kind == '%';
    add(is_block ? Type::kBeginBlock : Type::kBeginPrint, "");
    advance(2);
    if (looking_at("-") || looking_at("+")) advance(1);
    const std::string_view close = is_block ? "%}" : "}}";
    std::string brackets;  // open ones: "}}" within {"a": {}} is no end
    while (at_ < source_.size()) {
      const char c = source_[at_];
      const bool signed_end = (c == '-' || (c == '+' && is_block)) && rest().substr(1, 2) == close;
      if (brackets.empty() && (signed_end || looking_at(close))) {
        add(is_block ? Type::kEndBlock : Type::kEndPrint, "");
        advance(signed_end ? 3 : 2);
        strip_after_tag(signed_end ? c : ' ', is_block);
        return {};
      }
      TERN_TRY(lex_token(brackets));
    }
    return error("a tag has no end");
  }

  Status skip_comment() {
    const size_t end = source_.find("#}", at_ + 2);
    if (end == source_.npos) return error("a comment has no end");
    const char sign =
        end - 1 > at_ + 2 ? source_[end - 1] : ' ';  // {#-#}: that sign is the first one
    advance(end + 2 - at_);
    strip_after_tag(sign, true);
    return {};
  }

  /// The tag {% `name` %} at `tag`: its size, and the sign before its end. 0 where it is another
  /// one.
  size_t match_bare_tag(size_t tag, std::string_view name, char& sign) const {
    std::string_view text = std::string_view(source_).substr(tag);
    const size_t size = text.size();
    if (!text.starts_with("{%")) return 0;
    text.remove_prefix(2);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    text = strip_left(text);
    if (!text.starts_with(name)) return 0;
    text = strip_left(text.substr(name.size()));
    sign = text.empty() ? ' ' : text[0];
    if (sign == '-' || sign == '+') text.remove_prefix(1);
    return text.starts_with("%}") ? size - text.size() + 2 : 0;
  }

  /// {% raw %} … {% endraw %}: text as it stands. `done` where there was one.
  Status lex_raw(bool& done) {
    char sign = ' ';
    const size_t open = match_bare_tag(at_, "raw", sign);
    if (open == 0) return {};
    advance(open);
    if (sign == '-') strip_after_tag('-', true);
    for (size_t tag = source_.find("{%", at_); tag != source_.npos;
         tag = source_.find("{%", tag + 2)) {
      const size_t close = match_bare_tag(tag, "endraw", sign);
      if (close == 0) continue;
      const auto text = std::string_view(source_).substr(at_, tag - at_);
      add(Type::kText, std::string(strip_before_tag(text, tag, source_[at_ - 1] == '\n')));
      advance(tag + close - at_);
      strip_after_tag(sign, true);
      done = true;
      return {};
    }
    return error("{% raw %} has no end");
  }

  Status lex_token(std::string& brackets) {
    const char c = source_[at_];
    if (const size_t blank = rest().size() - strip_left(rest()).size()) {
      advance(blank);
      return {};
    }
    if (is_ascii_digit(c)) return lex_number();
    if (name_char_size(rest()) > 0) {
      size_t size = 0;
      while (const size_t more = name_char_size(rest().substr(size))) size += more;
      add(Type::kName, std::string(rest().substr(0, size)));
      advance(size);
      return {};
    }
    if (c == '"' || c == '\'') return lex_string();
    return lex_operator(brackets);
  }

  Status lex_number() {
    constexpr std::string_view kDecimal = "0123456789";
    const std::string_view text = rest();
    size_t size = digits_size(text, 0, kDecimal), end = size;
    const auto at = [&](size_t i) { return i < text.size() ? text[i] : ' '; };
    // Behind a dot stands an index: x.1.2 is x[1][2].
    const bool may_be_float = at_ == 0 || source_[at_ - 1] != '.';
    if (may_be_float && at(end) == '.' && is_ascii_digit(at(end + 1)))
      end += 1 + digits_size(text, end + 1, kDecimal);
    if (may_be_float && (at(end) == 'e' || at(end) == 'E')) {
      const size_t sign = at(end + 1) == '-' || at(end + 1) == '+';
      if (is_ascii_digit(at(end + 1 + sign)))
        end += 1 + sign + digits_size(text, end + 1 + sign, kDecimal);
    }
    if (end > size) {
      add_number(Type::kFloat, end);
      return {};
    }
    // Other bases; else a number begins with 0 only where it is 0.
    const char base = char(at(1) | 0x20);
    const std::string_view digits = base == 'x'   ? "0123456789abcdefABCDEF"
                                    : base == 'o' ? "01234567"
                                    : base == 'b' ? "01"
                                                  : "";
    const size_t based = at(0) == '0' ? digits_size(text, 2, digits, true) : 0;
    if (at(0) == '0') size = based > 0 ? 2 + based : digits_size(text, 0, "0");
    add_number(Type::kInteger, size);
    return {};
  }

  /// The next `size` bytes as a number.
  void add_number(Type type, size_t size) {
    std::string text(rest().substr(0, size));
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    add(type, std::move(text));
    advance(size);
  }

  Status lex_string() {
    const char quote = source_[at_];
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return error("a string has no end");
    auto text = unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1));
    if (!text.ok()) return Status(text.status().code(), at_line(line_, text.status().message()));
    add(Type::kString, *std::move(text));
    advance(end + 1 - at_);
    return {};
  }

  Status lex_operator(std::string& brackets) {
    constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", "<=", ">=", "+", "-", "*",
                                               "/",  "%",  "~",  "<",  ">",  "=",  "|", ".", ",",
                                               ":",  ";",  "(",  ")",  "[",  "]",  "{", "}"};
    const auto* op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                  [&](std::string_view o) { return looking_at(o); });
    if (op == std::end(kOperators))
      return error("unexpected character " +
                   string_repr(rest().substr(0, first_char(rest()).size)));
    const char c = (*op)[0];
    if (op->size() == 1 && (c == '(' || c == '[' || c == '{')) brackets += c;
    if (op->size() == 1 && (c == ')' || c == ']' || c == '}')) {
      const char open = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (!brackets.ends_with(open)) return error(std::string("unexpected '") + c + "'");
      brackets.pop_back();
    }
    add(Type::kOperator, std::string(*op));
    advance(op->size());
    return {};
  }

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::string at_line(int line, std::string_view message) {
  return "line " + std::to_string(line) + ": " + std::string(message);
}

Result<std::vector<Token>> tokenize(std::string_view source) {
  return Lexer(normalize_newlines(source)).run();
}

}  // namespace tern::jinja
