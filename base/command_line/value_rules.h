// What CLI11 would do with values by itself, and must not.
#pragma once

#include <CLI/CLI.hpp>

namespace tern {

/// Once all options of `app` and its commands are there: a flag takes the one word behind it, also
/// where it can be repeated, since CLI11's lists go on to the next flag and swallow the arguments;
/// numbers are decimal, and those that no variable can hold are refused.
void set_value_rules(CLI::App& app);

}  // namespace tern
