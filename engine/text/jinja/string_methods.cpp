// Python's methods of strings. Those of markup give markup, and escape what they are given.
#include <algorithm>

#include "base/utf8_char.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;

Result<Value> like(Interpreter& interpreter, const Value& self, std::string text) {
  return interpreter.string(String{std::move(text), self.is_markup()});
}

/// What a method puts into `self`.
std::string escaped_for(const Value& self, const Value& part) {
  return self.is_markup() && !part.is_markup() ? escape_html(part.string()) : part.string();
}

Result<Value> strings_to_list(Interpreter& interpreter, const Value& self,
                              std::vector<std::string> strings,
                              List::Kind kind = List::Kind::kList) {
  std::vector<Value> items;
  for (std::string& text : strings) {
    TERN_ASSIGN(Value item, like(interpreter, self, std::move(text)));
    items.push_back(std::move(item));
  }
  return interpreter.list(std::move(items), kind);
}

// --- pieces ---

size_t occurrences(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

/// Characters that are white space, line ends among them.
size_t num_spaces(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); text.remove_prefix(first_char(text).size))
    count += is_python_space(first_char(text).code_point);
  return count;
}

/// Each part of a text takes far more than its bytes: they are counted before they are made.
Status check_parts(size_t count) {
  constexpr size_t kMaxParts = kMaxValueBytes / 128;
  if (count <= kMaxParts) return {};
  return invalid_argument("a text in more than " + std::to_string(kMaxParts) + " parts");
}

template <std::string_view (*kStrip)(std::string_view, std::optional<std::string_view>)>
Result<Value> run_strip(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {""}));
  if (!a[0] || a[0]->is_none())
    return like(interpreter, self, std::string(kStrip(self.string(), {})));
  TERN_ASSIGN(const std::string set, a.string(0, ""));
  TERN_TRY(interpreter.charge(0, int64_t((self.string().size() * set.size()) >> 10)));
  return like(interpreter, self, std::string(kStrip(self.string(), set)));
}

template <std::vector<std::string> (*kSplit)(std::string_view, std::optional<std::string_view>,
                                             int64_t)>
Result<Value> run_split(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"sep", "maxsplit"}));
  TERN_ASSIGN(const int64_t max_splits, a.integer(1, -1));
  if (!a[0] || a[0]->is_none()) {
    TERN_TRY(check_parts(num_spaces(self.string())));
    return strings_to_list(interpreter, self, kSplit(self.string(), {}, max_splits));
  }
  TERN_ASSIGN(const std::string separator, a.string(0, ""));
  if (separator.empty()) return invalid_argument("empty separator");
  TERN_TRY(check_parts(occurrences(self.string(), separator)));
  return strings_to_list(interpreter, self, kSplit(self.string(), separator, max_splits));
}

Result<Value> run_split_lines(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"keepends"}));
  TERN_TRY(check_parts(num_spaces(self.string())));
  return strings_to_list(interpreter, self, split_lines(self.string(), a.truthy(0, false)));
}

template <bool kFromRight>
Result<Value> run_partition(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {""}, 1));
  TERN_ASSIGN(const std::string part, a.string(0, ""));
  if (part.empty()) return invalid_argument("empty separator");
  const std::string& text = self.string();
  const size_t at = kFromRight ? text.rfind(part) : text.find(part);
  std::vector<std::string> parts = {"", "", ""};
  if (at == text.npos)
    parts[kFromRight ? 2 : 0] = text;
  else
    parts = {text.substr(0, at), part, text.substr(at + part.size())};
  return strings_to_list(interpreter, self, std::move(parts), List::Kind::kTuple);
}

template <bool kPrefix>
Result<Value> run_remove(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {""}, 1));
  TERN_ASSIGN(const std::string part, a.string(0, ""));
  std::string_view text = self.string();
  if (kPrefix && text.starts_with(part)) text.remove_prefix(part.size());
  if (!kPrefix && text.ends_with(part)) text.remove_suffix(part.size());
  return like(interpreter, self, std::string(text));
}

// --- search ---

/// Bytes of `self` between the characters that arguments `first` and `first` + 1 tell, as in a
/// slice. Nothing where the first is behind the last.
struct Part {
  std::string_view text;
  int64_t start = 0;  // in characters
};
Result<std::optional<Part>> part_of(const Value& self, const Bound& a, size_t first) {
  const std::string_view text = self.string();
  const auto size = int64_t(num_chars(text));
  int64_t bounds[2] = {0, size};
  for (size_t i = 0; i < 2; ++i) {
    if (a[first + i] && a[first + i]->is_none()) continue;
    TERN_ASSIGN(bounds[i], a.integer(first + i, bounds[i]));
    if (bounds[i] < 0) bounds[i] = std::max<int64_t>(bounds[i] + size, 0);
  }
  const int64_t end = std::min(bounds[1], size);
  if (bounds[0] > end) return std::optional<Part>();
  const size_t begin = char_offset(text, size_t(bounds[0]));
  const std::string_view rest = text.substr(begin);
  return std::optional<Part>(
      Part{rest.substr(0, char_offset(rest, size_t(end - bounds[0]))), bounds[0]});
}

bool starts_with(std::string_view text, std::string_view part) {
  return text.starts_with(part);
}
bool ends_with(std::string_view text, std::string_view part) {
  return text.ends_with(part);
}

template <bool (*kMatches)(std::string_view, std::string_view)>
Result<Value> run_affix(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", "", ""}, 1));
  TERN_ASSIGN(const std::optional<Part> part, part_of(self, a, 1));
  const bool is_tuple = a[0]->is_list(List::Kind::kTuple);
  const std::vector<Value> affixes = is_tuple ? a[0]->list().items : std::vector<Value>{*a[0]};
  for (const Value& affix : affixes) {
    if (!affix.is_string())
      return type_error(affix,
                        "an affix must be a str or a tuple of str, not " + quoted_type(affix));
    if (part && kMatches(part->text, affix.string())) return Value(true);
  }
  return Value(false);
}

/// Index of the first or last occurrence, or -1.
template <bool kFromRight, bool kMustExist>
Result<Value> run_find(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", "", ""}, 1));
  TERN_ASSIGN(const std::string wanted, a.string(0, ""));
  TERN_ASSIGN(const std::optional<Part> part, part_of(self, a, 1));
  const std::string_view text = part ? part->text : std::string_view();
  const size_t at = !part ? text.npos : kFromRight ? text.rfind(wanted) : text.find(wanted);
  if (at != text.npos) return Value(part->start + int64_t(num_chars(text.substr(0, at))));
  if (kMustExist) return invalid_argument("substring not found");
  return Value(int64_t(-1));
}

Result<Value> run_count(Interpreter&, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", "", ""}, 1));
  TERN_ASSIGN(const std::string wanted, a.string(0, ""));
  TERN_ASSIGN(const std::optional<Part> part, part_of(self, a, 1));
  if (!part) return Value(int64_t(0));
  if (wanted.empty()) return Value(int64_t(num_chars(part->text)) + 1);
  return Value(int64_t(occurrences(part->text, wanted)));
}

// --- other texts ---

template <std::string (*kMap)(std::string_view)>
Result<Value> run_map(Interpreter& interpreter, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  return like(interpreter, self, kMap(self.string()));
}

Result<Value> run_replace(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", "", ""}, 2));
  TERN_ASSIGN(const std::string old_part, a.string(0, ""));
  TERN_TRY(a.string(1, "").status());
  TERN_ASSIGN(const int64_t count, a.integer(2, -1));
  TERN_ASSIGN(std::string text, replace_all(self.string(), old_part, escaped_for(self, *a[1]),
                                            count, kMaxStringBytes));
  return like(interpreter, self, std::move(text));
}

enum class Side { kLeft, kRight, kBoth };  // of the padding

template <Side kSide>
Result<Value> run_pad(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", ""}, 1));
  TERN_ASSIGN(const size_t width, a.width(0, 0));
  TERN_ASSIGN(std::string fill, a.string(1, " "));
  if (a[1]) fill = escaped_for(self, *a[1]);
  if (num_chars(fill) != 1)
    return invalid_argument("The fill character must be exactly one character long");
  const size_t size = num_chars(self.string());
  const size_t space = width > size ? width - size : 0;
  TERN_TRY(interpreter.charge_string(self.string().size() + space * fill.size()));
  const size_t left = kSide == Side::kLeft    ? space
                      : kSide == Side::kRight ? 0
                                              : space / 2 + (space & width & 1);
  return like(interpreter, self, pad(self.string(), left, space - left, fill));
}

Result<Value> run_zfill(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {""}, 1));
  TERN_ASSIGN(const size_t width, a.width(0, 0));
  const std::string_view text = self.string();
  const size_t sign = text.starts_with('-') || text.starts_with('+');
  const size_t size = num_chars(text);
  TERN_TRY(interpreter.charge_string(text.size() + width));
  std::string out(text.substr(0, sign));
  out.append(width > size ? width - size : 0, '0');
  return like(interpreter, self, out += text.substr(sign));
}

Result<Value> run_expandtabs(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"tabsize"}));
  TERN_ASSIGN(const size_t size, a.width(0, 8));
  std::string out;
  size_t column = 0;
  for (std::string_view rest = self.string(); !rest.empty();) {
    const size_t bytes = first_char(rest).size;
    if (rest[0] == '\t') {
      const size_t spaces = size > 0 ? size - column % size : 0;
      TERN_TRY(interpreter.charge_growth(out.size(), spaces));
      out.append(spaces, ' ');
      column += spaces;
    } else {
      out += rest.substr(0, bytes);
      column = rest[0] == '\n' || rest[0] == '\r' ? 0 : column + 1;
    }
    rest.remove_prefix(bytes);
  }
  return like(interpreter, self, std::move(out));
}

Result<Value> run_join(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {""}, 1));
  TERN_ASSIGN(const auto items, iterate(*a[0]));
  std::string text;
  for (size_t i = 0; i < items->items.size(); ++i) {
    const Value& item = items->items[i];
    if (!item.is_string() && !item.text_in_place() && !self.is_markup())
      return invalid_argument("join: item " + std::to_string(i) + " is " + quoted_type(item));
    TERN_ASSIGN(std::string part, to_text(item));
    if (self.is_markup() && !item.is_markup()) part = escape_html(part);
    TERN_TRY(interpreter.charge_growth(text.size(), part.size() + self.string().size()));
    if (i > 0) text += self.string();
    text += part;
  }
  return like(interpreter, self, std::move(text));
}

Result<Value> run_format(Interpreter& interpreter, const Value& self, Args args) {
  return format_braces(interpreter, self, args);
}

Result<Value> run_format_map(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {""}, 1));
  if (!a[0]->is_dict()) return type_error(*a[0], "format_map() needs a mapping");
  CallArgs named;
  for (const auto& [key, member] : a[0]->dict().items)
    if (key.is_string()) named.named.emplace_back(key.string(), member);
  return format_braces(interpreter, self, named);
}

// --- str.translate ---

Result<Value> run_maketrans(Interpreter& interpreter, const Value&, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"", "", ""}, 1));
  Dict table;
  if (!a[1]) {
    if (!a[0]->is_dict()) return type_error(*a[0], "maketrans() of one argument needs a dict");
    for (const auto& [key, value] : a[0]->dict().items) {
      const bool is_character = key.is_string() && num_chars(key.string()) == 1;
      if (!is_character && !key.is_integer())
        return invalid_argument("maketrans() needs characters or integers as keys");
      const Value code = is_character ? Value(int64_t(first_char(key.string()).code_point)) : key;
      TERN_TRY(table.set(code, value));
    }
    return make_dict(std::move(table));
  }
  TERN_ASSIGN(const std::string from, a.string(0, ""));
  TERN_ASSIGN(const std::string to, a.string(1, ""));
  TERN_ASSIGN(const std::string dropped, a.string(2, ""));
  if (num_chars(from) != num_chars(to))
    return invalid_argument("the first two maketrans arguments must have equal length");
  TERN_TRY(interpreter.charge((from.size() + dropped.size()) * sizeof(Value)));
  std::string_view x = from, y = to, z = dropped;
  for (; !x.empty(); x.remove_prefix(first_char(x).size), y.remove_prefix(first_char(y).size))
    TERN_TRY(table.set(Value(int64_t(first_char(x).code_point)),
                       Value(int64_t(first_char(y).code_point))));
  for (; !z.empty(); z.remove_prefix(first_char(z).size))
    TERN_TRY(table.set(Value(int64_t(first_char(z).code_point)), Value()));
  return make_dict(std::move(table));
}

Result<Value> run_translate(Interpreter& interpreter, const Value& self, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {""}, 1));
  if (!a[0]->is_dict()) return type_error(*a[0], "translate() needs a dict");
  std::string out;
  for (std::string_view rest = self.string(); !rest.empty();) {
    const Utf8Char c = first_char(rest);
    TERN_ASSIGN(const Value* to, a[0]->dict().find(Value(int64_t(c.code_point))));
    if (!to) {
      out += rest.substr(0, c.size);
    } else if (to->is_integer()) {
      TERN_ASSIGN(const std::string text, format_integer(to->integer(), {.type = 'c'}));
      out += text;
    } else if (to->is_string()) {
      out += to->string();
    } else if (!to->is_none()) {
      return invalid_argument("translate() needs integers, strings or None as values");
    }
    if (out.size() > kMaxStringBytes) return interpreter.charge_string(out.size());
    rest.remove_prefix(c.size);
  }
  return like(interpreter, self, std::move(out));
}

// --- kinds of characters ---

/// Whether there are characters and all are of a kind; of no characters where `kOfNone`.
template <bool (*kIs)(char32_t), bool kOfNone = false>
Result<Value> run_is(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  for (std::string_view rest = self.string(); !rest.empty();) {
    const Utf8Char c = first_char(rest);
    if (!kIs(c.code_point)) return Value(false);
    rest.remove_prefix(c.size);
  }
  return Value(kOfNone || !self.string().empty());
}

bool is_alphanumeric(char32_t c) {
  return is_alphabetic(c) || is_numeric(c);
}
bool is_ascii(char32_t c) {
  return c < 0x80;
}

template <bool (*kIs)(char32_t), bool (*kIsOther)(char32_t)>
Result<Value> run_is_case(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  bool found = false;
  for (std::string_view rest = self.string(); !rest.empty();) {
    const Utf8Char c = first_char(rest);
    if (kIsOther(c.code_point) || is_title(c.code_point)) return Value(false);
    found |= kIs(c.code_point);
    rest.remove_prefix(c.size);
  }
  return Value(found);
}

Result<Value> run_istitle(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  bool found = false, in_word = false;
  for (std::string_view rest = self.string(); !rest.empty();) {
    const Utf8Char c = first_char(rest);
    const bool begins = is_upper(c.code_point) || is_title(c.code_point);
    if (begins ? in_word : is_lower(c.code_point) && !in_word) return Value(false);
    in_word = is_cased(c.code_point);
    found |= in_word;
    rest.remove_prefix(c.size);
  }
  return Value(found);
}

Result<Value> run_isidentifier(Interpreter&, const Value& self, Args args) {
  TERN_TRY(bind(args, {}).status());
  bool first = true;
  for (std::string_view rest = self.string(); !rest.empty(); first = false) {
    const Utf8Char c = first_char(rest);
    const bool begins = c.code_point == '_' || is_alphabetic(c.code_point);
    if (!begins && (first || !is_word(c.code_point))) return Value(false);
    rest.remove_prefix(c.size);
  }
  return Value(!first);
}

Result<Value> run_encode(Interpreter&, const Value&, Args) {
  return Status(Code::kUnimplemented, "tern does not know bytes");
}

constexpr MethodEntry kMethods[] = {
    {"strip", run_strip<strip>},
    {"lstrip", run_strip<strip_left>},
    {"rstrip", run_strip<strip_right>},
    {"split", run_split<split>},
    {"rsplit", run_split<split_from_right>},
    {"splitlines", run_split_lines},
    {"partition", run_partition<false>},
    {"rpartition", run_partition<true>},
    {"startswith", run_affix<starts_with>},
    {"endswith", run_affix<ends_with>},
    {"upper", run_map<to_upper>},
    {"lower", run_map<to_lower>},
    {"title", run_map<title>},
    {"capitalize", run_map<capitalize>},
    {"casefold", run_map<casefold>},
    {"swapcase", run_map<swapcase>},
    {"replace", run_replace},
    {"find", run_find<false, false>},
    {"rfind", run_find<true, false>},
    {"index", run_find<false, true>},
    {"rindex", run_find<true, true>},
    {"count", run_count},
    {"join", run_join},
    {"format", run_format},
    {"format_map", run_format_map},
    {"ljust", run_pad<Side::kRight>},
    {"rjust", run_pad<Side::kLeft>},
    {"center", run_pad<Side::kBoth>},
    {"zfill", run_zfill},
    {"expandtabs", run_expandtabs},
    {"translate", run_translate},
    {"maketrans", run_maketrans},
    {"isdigit", run_is<is_digit>},
    {"isdecimal", run_is<is_decimal>},
    {"isnumeric", run_is<is_numeric>},
    {"isalpha", run_is<is_alphabetic>},
    {"isalnum", run_is<is_alphanumeric>},
    {"isspace", run_is<is_python_space>},
    {"isascii", run_is<is_ascii, true>},
    {"isprintable", run_is<is_printable, true>},
    {"isupper", run_is_case<is_upper, is_lower>},
    {"islower", run_is_case<is_lower, is_upper>},
    {"istitle", run_istitle},
    {"isidentifier", run_isidentifier},
    {"removeprefix", run_remove<true>},
    {"removesuffix", run_remove<false>},
    {"encode", run_encode},
};

}  // namespace

const MethodEntry* find_string_method(std::string_view name) {
  const auto* it = std::find_if(std::begin(kMethods), std::end(kMethods),
                                [&](const MethodEntry& m) { return m.name == name; });
  return it == std::end(kMethods) ? nullptr : it;
}

}  // namespace tern::jinja
