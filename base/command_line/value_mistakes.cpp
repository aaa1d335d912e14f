#include "base/command_line/value_mistakes.h"

#include <algorithm>
#include <vector>

#include "base/closest_word.h"
#include "base/command_line/command_line.h"

namespace tern {
namespace {

constexpr const char* kNotInRange = " not in range ";

std::string quoted(const std::string& value) {
  return "'" + value + "'";
}

// "a, b or c"
std::string listed(const std::vector<std::string>& words, const std::string& last) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i)
    out += (i == 0 ? "" : i + 1 == words.size() ? " " + last + " " : ", ") + words[i];
  return out;
}

bool is_flag(const CLI::Option& option) {
  return option.get_items_expected_max() == 0;
}

// What an option takes, for "--n takes …".
std::string allowed(const CLI::Option& option) {
  if (is_flag(option)) return "no value";
  if (const auto choices = option_choices(option); !choices.empty()) return listed(choices, "or");
  if (!option.get_option_text().empty()) return option.get_option_text();
  const std::string type = value_type(option);
  const bool is_list = option.get_expected_max() > 1;
  const std::string range = option_range(option);
  const std::string limits = range.empty() ? "" : " from " + range;
  if (type == "UINT" || type == "INT")
    return is_list ? "whole numbers with commas between them" : "a whole number" + limits;
  if (type == "FLOAT") return is_list ? "numbers with commas between them" : "a number" + limits;
  return "a value";
}

// The option that CLI11 calls `name`, among those of the commands that were reached; null where it
// has none.
const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
  std::vector<const CLI::App*> places = reached_commands(app);
  for (size_t i = 0; i < places.size(); ++i)
    for (const CLI::App* sub : places[i]->get_subcommands([](const CLI::App*) { return true; }))
      if (sub->get_name().empty()) places.push_back(sub);  // an option group
  for (auto place = places.rbegin(); place != places.rend(); ++place)
    for (const CLI::Option* option : (*place)->get_options())
      if (option->get_name() == name) return option;
  return nullptr;
}

// Says what is wrong with a value that the rules for values have let through, but its variable
// cannot hold: CLI11 says "Could not convert: --n = 5000000000".
std::string explain_conversion(const CLI::Option& option) {
  const std::string name = option.get_name();
  if (is_flag(option)) return name + " takes no value";
  return name + " cannot be as large as " + listed(option.results(), "or");
}

// Says what is wrong with a value that a check refused; `said` is what CLI11 made of it: "hihg not
// in {…}", "Value 0 not in range 1 to 128".
std::string explain_check(const CLI::Option& option, const std::string& said) {
  const std::string name = option.get_name();
  if (const auto choices = option_choices(option); !choices.empty()) {
    const std::string value = said.substr(0, said.rfind(" not in {"));
    return name + " takes " + allowed(option) + ", not " + quoted(value) +
           did_you_mean(value, choices);
  }
  const size_t range = said.find(kNotInRange);
  if (said.starts_with("Value ") && range != std::string::npos)
    return name + " " + not_allowed(option, said.substr(6, range - 6));
  for (const char* verb : {"must ", "takes ", "cannot "})
    if (said.starts_with(verb)) return name + " " + said;
  return name + ": " + said;
}

std::string explain_count(const CLI::Option& option) {
  const std::string name = option.get_name();
  if (option.count() <= 1 && !is_flag(option))
    return name + " has no value; it takes " + allowed(option);
  if (is_flag(option)) return name + " takes no value";
  return name + " is given " + std::to_string(option.count()) + " times, but takes one value" +
         (option.get_positional() && option.nonpositional()
              ? " (the argument " + option_placeholder(option) + " is the same)"
              : "");
}

std::string explain_required(const CLI::App& app, const std::string& said) {
  const auto reached = reached_commands(app);
  if (said == "A subcommand is required") {
    std::vector<std::string> commands;
    for (const CLI::App* sub :
         reached.back()->get_subcommands([](const CLI::App*) { return true; }))
      if (!sub->get_name().empty() && !sub->get_group().empty())
        commands.push_back(sub->get_name());
    std::string path;
    for (const CLI::App* at : reached) path += (path.empty() ? "" : " ") + at->get_name();
    constexpr size_t kFew = 8;  // that are named here; --help has them all
    return path + " needs a command" +
           (commands.size() <= kFew ? ": " + listed(commands, "or") : "");
  }
  const std::string missing = said.substr(0, said.find(" is required"));
  if (const CLI::Option* option = find_option(app, missing); option && !option->nonpositional()) {
    std::string path;
    for (const CLI::App* at : reached) path += (path.empty() ? "" : " ") + at->get_name();
    const auto choices = option_choices(*option);
    return path + " needs " + option_placeholder(*option) + ": " +
           (choices.empty() ? option->get_description() : listed(choices, "or"));
  }
  const size_t open = said.find('['), close = said.find(']');
  if (!said.starts_with("Exactly 1 option from [") || close == std::string::npos) return said;
  std::vector<std::string> names = CLI::detail::split(said.substr(open + 1, close - open - 1), ',');
  std::erase(names, "");  // of --help
  const bool has_several = said.ends_with("were given");
  return (has_several ? "only one of " : "one of ") + listed(names, "and") +
         (has_several ? " can be given" : " is required");
}

}  // namespace

std::string value_type(const CLI::Option& option) {
  return option.get_type_name().substr(0, option.get_type_name().find(':'));
}

std::string not_allowed(const CLI::Option& option, const std::string& value) {
  return "takes " + allowed(option) + ", not " + quoted(value);
}

std::string explain_value(const CLI::App& app, const CLI::ParseError& error) {
  const std::string said = error.what();
  if (error.get_name() == "RequiredError") return explain_required(app, said);
  if (error.get_name() == "ExcludesError" || error.get_name() == "RequiresError") {
    const bool excludes = error.get_name() == "ExcludesError";
    const std::string verb = excludes ? " excludes " : " requires ";
    const size_t at = said.find(verb);
    if (at == std::string::npos) return said;
    const std::string one = said.substr(0, at), other = said.substr(at + verb.size());
    return excludes ? one + " and " + other + " cannot both be given" : one + " needs " + other;
  }
  const std::string conversion = "Could not convert: ";
  if (said.starts_with(conversion)) {
    const std::string rest = said.substr(conversion.size());
    const CLI::Option* option = find_option(app, rest.substr(0, rest.find(" = ")));
    return option ? explain_conversion(*option) : said;
  }
  const size_t end = said.find_first_of(": ");
  const CLI::Option* option = find_option(app, said.substr(0, end));
  if (!option || end == std::string::npos) return said;
  if (error.get_name() == "ArgumentMismatch") return explain_count(*option);
  if (error.get_name() == "ConversionError")
    return option->get_name() + " takes " + allowed(*option);
  if (error.get_name() != "ValidationError" || !said.substr(end).starts_with(": ")) return said;
  return explain_check(*option, said.substr(end + 2));
}

}  // namespace tern
