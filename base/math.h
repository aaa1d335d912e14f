// Integer helpers.
#pragma once

#include <type_traits>

namespace tern {

/// ceil(a / b) for a >= 0, b > 0.
template <class T>
constexpr T ceil_div(T a, std::type_identity_t<T> b) {
  return (a + b - 1) / b;
}

/// The smallest multiple of b that is >= a.
template <class T>
constexpr T round_up(T a, std::type_identity_t<T> b) {
  return ceil_div(a, b) * b;
}

}  // namespace tern
