#include "engine/text/jinja/json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/big_integers.h"
#include "base/utf8.h"
#include "base/utf8_char.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;

Result<std::string> checked_text(const std::string& text) {
  if (const auto offset = find_invalid_utf8(text))
    return invalid_argument("a string is not UTF-8 at byte " + std::to_string(*offset));
  return text;
}

Value make_big_integer(std::string digits) {
  return Value(std::make_shared<const BigInteger>(BigInteger{std::move(digits)}));
}

template <class Json>
Result<Value> convert(const Json& json, int depth);

template <class Json>
Result<Value> convert_dict(const Json& json, int depth) {
  Dict dict;
  for (const auto& [key, member] : json.items()) {
    TERN_ASSIGN(std::string name, checked_text(key));
    TERN_ASSIGN(Value value, convert(member, depth + 1));
    dict.set(std::move(name), std::move(value));
  }
  return make_dict(std::move(dict));
}

template <class Json>
Result<Value> convert(const Json& json, int depth) {
  if (depth >= kMaxValueDepth) return invalid_argument("a JSON value is nested too deeply");
  if (json.is_null()) return Value();
  if (json.is_boolean()) return Value(json.template get<bool>());
  if (json.is_number_unsigned() && json.template get<uint64_t>() > uint64_t(INT64_MAX))
    return make_big_integer(json.dump());
  if (json.is_number_integer()) return Value(json.template get<int64_t>());
  if (json.is_number_float()) return Value(json.template get<double>());
  if (json.is_string()) {
    TERN_ASSIGN(std::string text, checked_text(json.template get_ref<const std::string&>()));
    if (const auto digits = find_big_integer(text)) return make_big_integer(std::string(*digits));
    return Value(std::move(text));
  }
  if (json.is_object()) return convert_dict(json, depth);
  if (!json.is_array()) return invalid_argument("binary data is not JSON");
  std::vector<Value> items;
  for (const Json& element : json) {
    TERN_ASSIGN(Value item, convert(element, depth + 1));
    items.push_back(std::move(item));
  }
  return make_list(std::move(items));
}

class Writer {
 public:
  Writer(const JsonFormat& format, size_t max_bytes) : format_(format), max_bytes_(max_bytes) {}

  Status write(const Value& value, int level) {
    if (out.size() > max_bytes_)
      return invalid_argument("tojson exceeds " + std::to_string(max_bytes_) + " bytes");
    switch (value.type()) {
      case Type::kNone:
        out += "null";
        return {};
      case Type::kBool:
        out += value.truthy() ? "true" : "false";
        return {};
      case Type::kInt:
        out += std::to_string(value.integer());
        return {};
      case Type::kFloat:
        write_float(value.number());
        return {};
      case Type::kBigInteger:
        out += value.big_integer();
        return {};
      case Type::kString:
        write_string(value.string());
        return {};
      case Type::kDict:
        return write_dict(value.dict(), level);
      case Type::kList:
        if (value.list().kind <= List::Kind::kTuple) return write_list(value.list(), level);
        [[fallthrough]];
      default:
        return invalid_argument("Object of type " + std::string(type_name(value)) +
                                " is not JSON serializable");
    }
  }

  std::string out;

 private:
  void write_float(double value) {
    if (std::isnan(value))
      out += "NaN";
    else if (std::isinf(value))
      out += value < 0 ? "-Infinity" : "Infinity";
    else
      out += float_text(value);
  }

  void write_escape(unsigned code) {
    char text[16];
    std::snprintf(text, sizeof text, "\\u%04x", code);
    out += text;
  }

  void write_beyond_ascii(char32_t c) {
    if (!format_.ensure_ascii) return append_utf8(out, c);
    if (c < 0x10000) return write_escape(c);
    write_escape(0xd800 + ((c - 0x10000) >> 10));
    write_escape(0xdc00 + ((c - 0x10000) & 0x3ff));
  }

  void write_string(std::string_view text) {
    constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    out += '"';
    while (!text.empty()) {
      const Utf8Char c = first_char(text);
      if (const size_t i = kEscaped.find(text[0]); i != kEscaped.npos)
        out += {'\\', kLetters[i]};
      else if (c.code_point < 0x20)
        write_escape(c.code_point);
      else if (c.code_point < 0x7f || (c.code_point == 0x7f && !format_.ensure_ascii))
        out += char(c.code_point);
      else
        write_beyond_ascii(c.code_point);
      text.remove_prefix(c.size);
    }
    out += '"';
  }

  void new_line(int level) {
    if (!format_.indent) return;
    out += '\n';
    for (int i = 0; i < level; ++i) out += *format_.indent;
  }

  /// Writes what stands before item `i` of a container on `level`.
  void separate(size_t i, int level) {
    if (i > 0) out += format_.item_separator;
    new_line(level + 1);
  }

  Status write_list(const List& list, int level) {
    out += '[';
    for (size_t i = 0; i < list.items.size(); ++i) {
      separate(i, level);
      TERN_TRY(write(list.items[i], level + 1));
    }
    if (!list.items.empty()) new_line(level);
    out += ']';
    return {};
  }

  /// Python's keys of JSON: strings, and the texts of numbers and constants.
  Status write_key(const Value& key) {
    if (key.is_string()) {
      write_string(key.string());
      return {};
    }
    if (!key.is_number() && !key.is_none())
      return invalid_argument("keys must be str, int, float, bool or None, not " +
                              quoted_type(key));
    out += '"';
    TERN_TRY(write(key, 0));
    out += '"';
    return {};
  }

  Status write_dict(const Dict& dict, int level) {
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    Status failure;
    if (format_.sort_keys)
      std::stable_sort(items.begin(), items.end(), [&](const auto* a, const auto* b) {
        const auto order = compare(a->first, b->first);
        if (!order.ok()) failure = order.status();
        return order.ok() && *order < 0;
      });
    TERN_TRY(failure);
    out += '{';
    for (size_t i = 0; i < items.size(); ++i) {
      separate(i, level);
      TERN_TRY(write_key(items[i]->first));
      out += format_.key_separator;
      TERN_TRY(write(items[i]->second, level + 1));
    }
    if (!items.empty()) new_line(level);
    out += '}';
    return {};
  }

  const JsonFormat& format_;
  size_t max_bytes_;
};

}  // namespace

Result<Value> from_json(const nlohmann::json& json) {
  return convert(json, 0);
}
Result<Value> from_json(const nlohmann::ordered_json& json) {
  return convert(json, 0);
}

Result<std::string> to_json(const Value& value, const JsonFormat& format, size_t max_bytes) {
  Writer writer(format, max_bytes);
  TERN_TRY(writer.write(value, 0));
  return std::move(writer.out);
}

}  // namespace tern::jinja
