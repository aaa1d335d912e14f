// What is wrong with the values that were given to options, in sentences of our own: CLI11's name
// its types and sets.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tern {

/// One line that names the option, the value and what is allowed. `app` is what threw `error`, or
/// has the command that did.
std::string explain_value(const CLI::App& app, const CLI::ParseError& error);

/// What an option's values are for CLI11, without its checks: "UINT", "INT", "FLOAT", "TEXT".
std::string value_type(const CLI::Option& option);

/// "takes a whole number from 1 to 128, not 'many'".
std::string not_allowed(const CLI::Option& option, const std::string& value);

}  // namespace tern
