// Python's two ways of putting values into strings.
#pragma once

#include "engine/text/jinja/calls.h"

namespace tern::jinja {

/// `text % argument`. kInvalidArgument where Python refuses it.
Result<Value> format_percent(Interpreter& interpreter, const Value& text, const Value& argument);

/// `text.format(…)`. kInvalidArgument where Python refuses it, kUnimplemented naming what tern does
/// not know.
Result<Value> format_braces(Interpreter& interpreter, const Value& text, const CallArgs& args);

/// How a number or a text is laid out, in either way.
struct FormatSpec {
  std::string fill = " ";  ///< one character
  char align = 0;          ///< < > = ^; 0: as the type has it
  char sign = '-';         ///< - + or a space
  bool alternate = false;  ///< #
  char grouping = 0;       ///< , or _
  size_t width = 0;
  int precision = -1;  ///< negative: not given
  char type = 0;
};

/// Digits that a number may be asked for: beyond them a format is refused.
inline constexpr int kMaxPrecision = 10'000;

/// `text` on its width. `fallback`: where the spec has no alignment.
std::string padded(std::string_view text, const FormatSpec& spec, char fallback);

/// An integer in the types b c d n o x X; kInvalidArgument for others.
Result<std::string> format_integer(int64_t number, const FormatSpec& spec);

/// A float in the types e E f F g G n %, or none: as repr() has it.
Result<std::string> format_float(double number, const FormatSpec& spec);

}  // namespace tern::jinja
