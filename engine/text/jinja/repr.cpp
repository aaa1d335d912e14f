// What values print.
#include <charconv>
#include <cmath>

#include "base/utf8_char.h"
#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/loop.h"
#include "engine/text/jinja/value.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;
using Kind = List::Kind;

class Writer {
 public:
  Status write(const Value& value) {
    // Namespaces may hold each other.
    if (++depth_ > 2 * kMaxValueDepth) return invalid_argument("a value is nested too deeply");
    TERN_TRY(write_whole(value));
    --depth_;
    if (out.size() > kMaxStringBytes)
      return invalid_argument("a text exceeds " + std::to_string(kMaxStringBytes) + " bytes");
    return {};
  }

  std::string out;

 private:
  Status write_whole(const Value& value) {
    switch (value.type()) {
      case Type::kUndefined:
        out += "Undefined";
        return {};
      case Type::kString:
        out += value.is_markup() ? "Markup(" + string_repr(value.string()) + ")"
                                 : string_repr(value.string());
        return {};
      case Type::kNone:  // a blank one too: where a list or dict holds it, it shows
        out += "None";
        return {};
      case Type::kList:
        return write_list(value.list());
      case Type::kDict:
        return write_dict(value.dict());
      case Type::kNamespace:
        out += "<Namespace ";
        TERN_TRY(write_dict(value.name_space().members));
        out += '>';
        return {};
      default: {
        TERN_ASSIGN(const std::string text, to_text(value));
        out += text;
        return {};
      }
    }
  }

  Status write_items(const List& list) {
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out += ", ";
      TERN_TRY(write(list.items[i]));
    }
    return {};
  }

  Status write_list(const List& list) {
    if (list.kind == Kind::kRange) {
      out += "range(" + std::to_string(list.start) + ", " + std::to_string(list.stop);
      if (list.range_step != 1) out += ", " + std::to_string(list.range_step);
      out += ')';
      return {};
    }
    constexpr std::string_view kOpen[] = {"[",           "(", "", "dict_keys([", "dict_values([",
                                          "dict_items(["};
    out += kOpen[size_t(list.kind)];
    TERN_TRY(write_items(list));
    if (list.kind == Kind::kTuple) out += list.items.size() == 1 ? ",)" : ")";
    if (list.kind != Kind::kTuple) out += list.is_view() ? "])" : "]";
    return {};
  }

  Status write_dict(const Dict& dict) {
    out += '{';
    for (size_t i = 0; i < dict.items.size(); ++i) {
      if (i > 0) out += ", ";
      TERN_TRY(write(dict.items[i].first));
      out += ": ";
      TERN_TRY(write(dict.items[i].second));
    }
    out += '}';
    return {};
  }

  int depth_ = 0;
};

void append_escape(std::string& out, char32_t c) {
  char text[16];
  std::snprintf(text, sizeof text,
                c < 0x100     ? "\\x%02x"
                : c < 0x10000 ? "\\u%04x"
                              : "\\U%08x",
                unsigned(c));
  out += text;
}

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  // Python's repr: the shortest digits that read back, plain from 1e-4 to below 1e16.
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, format);
  std::string text(buffer, end);
  if (plain && text.find('.') == text.npos) text += ".0";
  return text;
}

std::string string_repr(std::string_view text) {
  const bool has_single = text.find('\'') != text.npos, has_double = text.find('"') != text.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  while (!text.empty()) {
    const Utf8Char c = first_char(text);
    constexpr std::string_view kEscaped = "\n\r\t", kLetters = "nrt";
    const size_t escaped = kEscaped.find(text[0]);
    if (text[0] == quote || text[0] == '\\')
      out += {'\\', text[0]};
    else if (escaped != kEscaped.npos)
      out += {'\\', kLetters[escaped]};
    else if (!is_printable(c.code_point))
      append_escape(out, c.code_point);
    else
      out += text.substr(0, c.size);
    text.remove_prefix(c.size);
  }
  return out + quote;
}

std::string ascii(std::string_view text) {
  std::string out;
  for (; !text.empty(); text.remove_prefix(first_char(text).size)) {
    const char32_t c = first_char(text).code_point;
    if (c < 0x80)
      out += char(c);
    else
      append_escape(out, c);
  }
  return out;
}

Result<std::string> repr(const Value& value) {
  Writer writer;
  TERN_TRY(writer.write(value));
  return std::move(writer.out);
}

Result<std::string> to_text(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
      return std::string();
    case Type::kNone:
      return std::string(value.is_blank_none() ? "" : "None");
    case Type::kBool:
      return std::string(value.truthy() ? "True" : "False");
    case Type::kInt:
      return std::to_string(value.integer());
    case Type::kFloat:
      return float_text(value.number());
    case Type::kBigInteger:
      return value.big_integer();
    case Type::kString:
      return value.string();
    case Type::kList:
    case Type::kDict:
      if (const std::string* text = value.text_in_place()) return *text;
      return repr(value);
    case Type::kNamespace:
      return repr(value);
    case Type::kLoop:
      return loop_text(value.loop());
    case Type::kMacro:
      return "<Macro " +
             (value.macro().macro->name.empty() ? "anonymous"
                                                : string_repr(value.macro().macro->name)) +
             ">";
    default:
      return invalid_argument("a " + std::string(type_name(value)) + " has no text");
  }
}

}  // namespace tern::jinja
