// What the command lines of tern and ternd share: how help looks, and what is said of mistakes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tern {

/// The subcommands that the arguments reached, `app` first.
std::vector<const CLI::App*> reached_commands(const CLI::App& app);

/// Help without CLI11's notation: "--n N", ranges and choices in words. For `app` and what is added
/// to it later.
void set_help_style(CLI::App& app);

/// "--max-tokens N", "--json", "PROMPT": an option as help, man page and completion show it.
std::string option_synopsis(const CLI::Option& option);
/// "N"; empty where the option takes no value.
std::string option_placeholder(const CLI::Option& option);
/// Its description with the range or "required" at the end.
std::string option_description(const CLI::Option& option);
/// What an option of few values takes; empty for all others.
std::vector<std::string> option_choices(const CLI::Option& option);
/// "1 to 128": the numbers that it takes; empty where they have no limits.
std::string option_range(const CLI::Option& option);

/// What was wrong with the arguments that made `app.parse()` throw `error`, and where to read on,
/// in two lines. A word that nothing knows is named before what is missing because of it.
std::string explain_mistake(const CLI::App& app, const CLI::ParseError& error);

}  // namespace tern
