#include "engine/io/json_parse.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/io/lenient_json.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr size_t kMaxQuotedBytes = 120;

/// Control characters and everything beyond ASCII as \xNN.
std::string printable(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, kMaxQuotedBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      out += c;
    else
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
  if (text.size() > kMaxQuotedBytes) out += "...";
  return out;
}

/// Builds the value from the parser's events, and stops at what nlohmann itself would accept.
class StrictBuilder final : public json::json_sax_t {
 public:
  explicit StrictBuilder(bool last_wins) : root(nullptr), last_wins_(last_wins) {}
  StrictBuilder(const StrictBuilder&) = delete;  // open_ points into root

  std::string error;
  size_t error_offset = std::string::npos;  ///< one past the byte at fault; npos where unknown
  json root;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not in text

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [member, is_new] = open_.back()->emplace(name, nullptr);
    member_ = &*member;
    if (is_new || last_wins_) return true;
    error = "name " + in_quotes(name) + " stands twice in one object";
    return false;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    const std::string_view what = e.what();
    const size_t start = what.find("syntax error");  // before it: nlohmann's own line and column
    error = printable(what.substr(start == what.npos ? what.find("] ") + 2 : start));
    error_offset = position;
    return false;
  }

 private:
  template <class T>
  bool add(T&& value) {
    place(std::forward<T>(value));
    return true;
  }

  bool open(json container) {
    if (open_.size() >= size_t(kMaxJsonDepth)) {
      error = "nesting is deeper than " + std::to_string(kMaxJsonDepth);
      return false;
    }
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  template <class T>
  json* place(T&& value) {
    if (open_.empty()) {
      root = std::forward<T>(value);
      return &root;
    }
    json& parent = *open_.back();
    if (parent.is_object()) {
      *member_ = std::forward<T>(value);
      return member_;
    }
    return &parent.emplace_back(std::forward<T>(value));
  }

  const bool last_wins_;  // of names that stand twice in one object

  // Containers not yet closed. A parent takes no new element while a child is open, so they stay
  // put.
  std::vector<json*> open_;
  json* member_ = nullptr;  // where the value of the last key() goes
};

std::string line_and_column(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return std::to_string(line) + ":" + std::to_string(before.size() - line_start + 1);
}

Result<json> parse(std::string_view text, const std::string& source, bool last_wins) {
  StrictBuilder builder(last_wins);
  if (json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.root);
  if (builder.error_offset == std::string::npos)
    return invalid_argument(source + ": " + builder.error);
  const size_t offset = builder.error_offset > 0 ? builder.error_offset - 1 : 0;
  return invalid_argument(source + ":" + line_and_column(text, offset) + ": " + builder.error);
}

/// `text` with quotes around the words for numbers that only Python's json knows.
std::string quote_python_numbers(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    size_t size = 1;
    if (in_string && text[i] == '\\') size = 2;
    if (text[i] == '"') in_string = !in_string;
    bool is_word = false;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
      if (!in_string && text.substr(i).starts_with(word)) size = word.size(), is_word = true;
    const std::string_view part = text.substr(i, size);
    out += is_word ? in_quotes(part) : std::string(part);
    i += size;
  }
  return out;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  return '"' + printable(text) + '"';
}

Result<json> parse_json(std::string_view text, const std::string& source) {
  return parse(text, source, /*last_wins=*/false);
}

Result<json> parse_lenient_json(std::string_view text, const std::string& source) {
  Result<json> value = parse(text, source, /*last_wins=*/true);
  const bool has_words = text.find("NaN") != text.npos || text.find("Infinity") != text.npos;
  if (value.ok() || !has_words) return value;
  return parse(quote_python_numbers(text), source, /*last_wins=*/true);
}

}  // namespace tern
