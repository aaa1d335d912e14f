// What is wrong with the values that were given to options, in sentences of our own: CLI11's name
// its types and sets.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tern {

/// One line that names the option, the value and what is allowed. `app` is what threw `error`, or
/// has the command that did.
std::string explain_value(const CLI::App& app, const CLI::ParseError& error);

}  // namespace tern
