#include "engine/text/jinja/pretty.h"

#include <algorithm>

#include "base/utf8_char.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

constexpr int64_t kWidth = 80;

int64_t size_of(std::string_view text) {
  return int64_t(num_chars(text));
}

/// `value` with all dicts in it sorted by key. Keys that have no order are sorted by their type.
Result<Value> sorted(const Value& value) {
  if (value.is_list(List::Kind::kList) || value.is_list(List::Kind::kTuple)) {
    List list = value.list();
    for (Value& item : list.items) {
      TERN_ASSIGN(item, sorted(item));
    }
    return make_list(std::move(list));
  }
  if (!value.is_dict()) return value;
  auto items = value.dict().items;
  std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
    const auto order = compare(a.first, b.first);
    return order.ok() ? *order < 0 : type_name(a.first) < type_name(b.first);
  });
  Dict dict;
  for (auto& [key, member] : items) {
    TERN_ASSIGN(Value in_order, sorted(member));
    TERN_TRY(dict.set(key, std::move(in_order)));
  }
  return make_dict(std::move(dict));
}

/// The words of a line, each with the white space behind it.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  bool in_space = false;
  for (size_t at = 0; at < line.size();) {
    const Utf8Char c = first_char(line.substr(at));
    const bool is_space = is_python_space(c.code_point);
    if (in_space && !is_space) {
      words.push_back(line.substr(begin, at - begin));
      begin = at;
    }
    in_space = is_space;
    at += c.size;
  }
  if (begin < line.size()) words.push_back(line.substr(begin));
  return words;
}

/// Names as in Python's PrettyPrinter: `indent` characters stand in front of what is written, and
/// `allowance` must fit behind it.
class PrettyPrinter {
 public:
  explicit PrettyPrinter(Interpreter& interpreter) : interpreter_(interpreter) {}

  Status write(const Value& value, int64_t indent, int64_t allowance, int level) {
    TERN_ASSIGN(const std::string whole, repr(value));
    TERN_TRY(interpreter_.charge(whole.size()));
    const bool is_plain = !value.is_dict() && !value.is_list(List::Kind::kList) &&
                          !value.is_list(List::Kind::kTuple) &&
                          (!value.is_string() || value.is_markup());
    if (size_of(whole) <= kWidth - indent - allowance || is_plain) {
      out += whole;
      return {};
    }
    if (value.is_string()) return write_string(value.string(), indent, allowance, level + 1);
    return value.is_dict() ? write_dict(value.dict(), indent, allowance, level + 1)
                           : write_list(value.list(), indent, allowance, level + 1);
  }

  std::string out;

 private:
  Status write_dict(const Dict& dict, int64_t indent, int64_t allowance, int level) {
    out += '{';
    ++indent;
    for (size_t i = 0; i < dict.items.size(); ++i) {
      if (i > 0) out += ",\n" + std::string(size_t(indent), ' ');
      TERN_ASSIGN(const std::string key, repr(dict.items[i].first));
      out += key + ": ";
      const bool is_last = i + 1 == dict.items.size();
      TERN_TRY(write(dict.items[i].second, indent + size_of(key) + 2, is_last ? allowance + 1 : 1,
                     level));
    }
    out += '}';
    return {};
  }

  Status write_list(const List& list, int64_t indent, int64_t allowance, int level) {
    const bool is_tuple = list.kind == List::Kind::kTuple;
    const std::string_view end = !is_tuple ? "]" : list.items.size() == 1 ? ",)" : ")";
    out += is_tuple ? '(' : '[';
    ++indent;
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out += ",\n" + std::string(size_t(indent), ' ');
      const bool is_last = i + 1 == list.items.size();
      TERN_TRY(write(list.items[i], indent, is_last ? allowance + int64_t(end.size()) : 1, level));
    }
    out += end;
    return {};
  }

  Status write_string(std::string_view text, int64_t indent, int64_t allowance, int level) {
    const bool is_top = level == 1;
    indent += is_top;
    allowance += is_top;
    std::vector<std::string> chunks;
    const std::vector<std::string> lines = split_lines(text, true);
    for (size_t i = 0; i < lines.size(); ++i)
      append_line(chunks, lines[i], kWidth - indent, i + 1 == lines.size() ? allowance : 0);
    const bool in_brackets = is_top && chunks.size() > 1;
    if (in_brackets) out += '(';
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (i > 0) out += "\n" + std::string(size_t(indent), ' ');
      out += chunks[i];
    }
    if (in_brackets) out += ')';
    return interpreter_.charge(text.size());
  }

  /// Appends `line` in literals of at most `width`, of which the last leaves room for `allowance`.
  static void append_line(std::vector<std::string>& chunks, std::string_view line, int64_t width,
                          int64_t allowance) {
    const std::string whole = string_repr(line);
    if (size_of(whole) <= width - allowance) {
      chunks.push_back(whole);
      return;
    }
    std::string current;
    const std::vector<std::string_view> words = words_of(line);
    for (size_t i = 0; i < words.size(); ++i) {
      std::string candidate = current + std::string(words[i]);
      const int64_t room = i + 1 == words.size() ? width - allowance : width;
      if (size_of(string_repr(candidate)) <= room) {
        current = std::move(candidate);
        continue;
      }
      if (!current.empty()) chunks.push_back(string_repr(current));
      current = words[i];
    }
    if (!current.empty()) chunks.push_back(string_repr(current));
  }

  Interpreter& interpreter_;
};

}  // namespace

Result<std::string> pretty(Interpreter& interpreter, const Value& value) {
  TERN_ASSIGN(const Value in_order, sorted(value));
  PrettyPrinter printer(interpreter);
  TERN_TRY(printer.write(in_order, 0, 0, 0));
  return std::move(printer.out);
}

}  // namespace tern::jinja
