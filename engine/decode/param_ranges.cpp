#include "engine/decode/param_ranges.h"

#include <cmath>
#include <cstdio>

namespace tern {

std::string ParamRange::print(double value) {
  constexpr double kMostWhole = 1e15;  // beyond it digits would be made up
  const bool is_whole = std::abs(value) <= kMostWhole && value == std::trunc(value);
  char text[32];
  std::snprintf(text, sizeof text, is_whole ? "%.0f" : "%g", value);
  return text;
}

std::string ParamRange::refuse(double value) const {
  return std::string("must be in ") + (excludes_lowest ? "(" : "[") + print(lowest) + ", " +
         print(highest) + "], is " + print(value);
}

Status ParamRange::check(double value) const {
  if (contains(value)) return {};
  return invalid_argument(std::string(name) + ": " + refuse(value));
}

}  // namespace tern
