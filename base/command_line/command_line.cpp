#include "base/command_line/command_line.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <utility>

#include "base/closest_word.h"
#include "base/command_line/value_mistakes.h"

namespace tern {
namespace {

// What CLI11 keeps of checks behind the type's name: "INT:INT in [1 - 128]", "TEXT:{a,b}".
std::string checks_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t colon = type.find(':');
  return colon == std::string::npos ? "" : type.substr(colon + 1);
}

class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(34); }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    return is_positional ? option_placeholder(*option) : option_synopsis(*option);
  }
  std::string make_option_opts(const CLI::Option*) const override { return ""; }
  std::string make_option_desc(const CLI::Option* option) const override {
    return option_description(*option);
  }
  std::string make_option_usage(const CLI::Option* option) const override {
    const std::string name = option_placeholder(*option);
    const std::string dots = option->get_expected_max() > 1 ? "..." : "";
    return option->get_required() ? name + dots : "[" + name + dots + "]";
  }

  // A group of options of which one is wanted: a section like any other.
  std::string make_expanded(const CLI::App* group) const override {
    std::string out = "\n" + group->get_description() + " (one of these):\n";
    for (const CLI::Option* option : group->get_options())
      if (option != group->get_help_ptr()) out += make_option(option, false);
    return out;
  }

  // Sections with one empty line between them.
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string out = CLI::Formatter::make_help(app, std::move(name), mode);
    for (size_t at; (at = out.find("\n\n\n")) != std::string::npos;) out.erase(at, 1);
    return out;
  }
};

struct Known {
  std::vector<std::string> options, commands;
};

Known known_words(const CLI::App& app) {
  Known known;
  const auto add_options = [&](const CLI::App& at) {
    for (const CLI::Option* option : at.get_options()) {
      if (option->get_group().empty()) continue;  // hidden
      for (const std::string& name : option->get_lnames()) known.options.push_back("--" + name);
      for (const std::string& name : option->get_snames()) known.options.push_back("-" + name);
    }
  };
  const auto reached = reached_commands(app);
  for (const CLI::App* at : reached) {
    add_options(*at);
    for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; }))
      if (sub->get_name().empty()) add_options(*sub);  // an option group
  }
  for (const CLI::App* sub : reached.back()->get_subcommands([](const CLI::App*) { return true; }))
    if (!sub->get_name().empty() && !sub->get_group().empty())
      known.commands.push_back(sub->get_name());
  return known;
}

std::string path_of(const CLI::App& app) {
  std::string path;
  for (const CLI::App* at : reached_commands(app))
    path += (path.empty() ? "" : " ") + at->get_name();
  return path;
}

std::string names(const std::vector<const CLI::Option*>& options) {
  std::string out;
  for (size_t i = 0; i < options.size(); ++i)
    out += (i == 0 ? "" : i + 1 == options.size() ? " or " : ", ") + options[i]->get_name();
  return out;
}

// The flags of `command` that must be given and are not.
std::vector<const CLI::Option*> missing_flags(const CLI::App& command) {
  std::vector<const CLI::Option*> out;
  for (const CLI::Option* option : command.get_options())
    if (option->get_required() && option->nonpositional() && option->count() == 0)
      out.push_back(option);
  for (const CLI::App* group : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!group->get_name().empty() || group->get_require_option_min() == 0) continue;
    const auto options = group->get_options(
        [&](const CLI::Option* o) { return o != group->get_help_ptr() && o->nonpositional(); });
    if (std::ranges::all_of(options, [](const CLI::Option* o) { return o->count() == 0; }))
      out.insert(out.end(), options.begin(), options.end());
  }
  return out;
}

// The flag that `word` looks made for, where it is not given; null where there is none.
const CLI::Option* likely_flag(const CLI::App& command, const std::string& word) {
  const auto unused = [&](const char* name) -> const CLI::Option* {
    const CLI::Option* option = command.get_option_no_throw(name);
    return option && option->count() == 0 ? option : nullptr;
  };
  if (word.find("://") != std::string::npos) return unused("--http");
  if (word.find(':') != std::string::npos)
    if (const CLI::Option* server = unused("--server")) return server;
  return unused("--model");
}

// Why a command has no use for `word`, as the end of a sentence.
std::string explain_argument(const CLI::App& app, const std::string& word) {
  const CLI::App& command = *reached_commands(app).back();
  const auto arguments =
      command.get_options([](const CLI::Option* o) { return o->get_positional(); });
  if (!arguments.empty())
    return option_choices(*arguments.front()).empty()
               ? " (text of several words needs quotes)"
               : "; " + path_of(app) + " takes one " + option_placeholder(*arguments.front());
  std::vector<const CLI::Option*> flags = missing_flags(command);
  if (const CLI::Option* likely = likely_flag(command, word); flags.empty() && likely)
    flags = {likely};
  if (flags.empty()) return "; " + path_of(app) + " takes no arguments";
  return ": it needs its flag before it, " + names(flags);
}

std::string explain_unknown(const CLI::App& app, const std::vector<std::string>& words) {
  const Known known = known_words(app);
  const auto is_option = [](const std::string& w) { return w.size() > 1 && w.front() == '-'; };
  const auto text = std::ranges::find(words, "--");  // nothing behind it is an option
  const auto option = std::find_if(words.begin(), text, is_option);
  const auto other = std::find_if_not(words.begin(), text, is_option);
  // Where a command is missing, what follows the unknown one may be right.
  if (!known.commands.empty() && other < option)
    return "unknown command '" + *other + "'" + did_you_mean(*other, known.commands);
  if (option == text)
    return "unexpected argument '" + (other == text ? words.back() : *other) + "'" +
           explain_argument(app, other == text ? words.back() : *other);
  const std::string name = option->substr(0, option->find('='));
  if (std::ranges::find(known.options, name) != known.options.end())
    return "option " + name + " belongs behind the command that takes it";
  return "unknown option " + name + did_you_mean(name, known.options);
}

}  // namespace

std::vector<const CLI::App*> reached_commands(const CLI::App& app) {
  std::vector<const CLI::App*> out = {&app};
  for (;;) {
    const auto subs = out.back()->get_subcommands();
    const auto named =
        std::ranges::find_if(subs, [](const CLI::App* a) { return !a->get_name().empty(); });
    if (named == subs.end()) return out;
    out.push_back(*named);
  }
}

void set_help_style(CLI::App& app) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "Print this help and leave");
}

std::vector<std::string> option_choices(const CLI::Option& option) {
  std::vector<std::string> out;
  const std::string checks = checks_of(option);
  if (!checks.starts_with('{')) return out;
  std::string word;
  for (const char c : checks.substr(1, checks.find('}') - 1) + ",") {
    if (c != ',')
      word += c;
    else
      out.push_back(std::exchange(word, ""));
  }
  return out;
}

std::string option_range(const CLI::Option& option) {
  const std::string checks = checks_of(option);
  const size_t open = checks.find(" in [");
  const size_t dash = checks.find(" - ", open == std::string::npos ? 0 : open);
  if (open == std::string::npos || dash == std::string::npos) return "";
  return checks.substr(open + 5, dash - open - 5) + " to " +
         checks.substr(dash + 3, checks.find(']') - dash - 3);
}

std::string option_placeholder(const CLI::Option& option) {
  if (option.nonpositional() && option.get_items_expected_max() == 0) return "";
  if (!option.get_option_text().empty()) return option.get_option_text();
  const std::string type = option.get_type_name().substr(0, option.get_type_name().find(':'));
  if (type == "UINT" || type == "INT") return "N";
  if (type == "FLOAT") return "X";
  if (!option.get_positional() || option.nonpositional())
    return option_choices(option).empty() ? type : "CHOICE";
  std::string name = option.get_name(true);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
  return name;
}

std::string option_synopsis(const CLI::Option& option) {
  std::string out;
  for (const std::string& name : option.get_snames()) out += (out.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) out += (out.empty() ? "--" : ", --") + name;
  const std::string value = option_placeholder(option);
  return out.empty() ? value : out + (value.empty() ? "" : " " + value);
}

std::string option_description(const CLI::Option& option) {
  std::string out = option.get_description();
  if (const std::string range = option_range(option); !range.empty()) out += " (" + range + ")";
  if (const auto choices = option_choices(option); !choices.empty()) {
    std::string list;
    for (const std::string& choice : choices) list += (list.empty() ? "" : "|") + choice;
    // Most descriptions say so themselves.
    if (out.find(choices.front()) == std::string::npos) out += " (" + list + ")";
  }
  if (option.get_required()) out += " (required)";
  return out;
}

std::string explain_mistake(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining(true);
  const std::string what =
      unknown.empty() ? explain_value(app, error) : explain_unknown(app, unknown);
  return what + "\nSee '" + path_of(app) + " --help'.";
}

}  // namespace tern
