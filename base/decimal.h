// Numbers as people write them: strtod and its like also read octal, hexadecimal, "inf" and "nan",
// and give a neighbour of what is too large.
#pragma once

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <type_traits>

namespace tern {

/// The decimal number that the whole of `text` is, with an optional sign; nothing where it is none
/// or `Number` cannot hold it.
template <class Number>
std::optional<Number> parse_decimal(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return {};
  }
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  if constexpr (std::is_floating_point_v<Number>)
    if (!std::isfinite(value)) return {};
  return value;
}

}  // namespace tern
