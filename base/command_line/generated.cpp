#include "base/command_line/generated.h"

#include <iostream>
#include <sstream>

#include "base/command_line/command_line.h"

namespace tern {
namespace {

// A command as its path and its parts, without what is hidden.
struct Node {
  std::string path;  // "tern bench serve"
  const CLI::App* app;
  std::vector<const CLI::Option*> options;
  std::vector<const CLI::App*> commands;
};

bool is_shown(const CLI::Option& option) {
  return !option.get_group().empty();
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>* out) {
  Node node{.path = path, .app = &app};
  std::vector<const CLI::App*> groups = {&app};
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name().empty())
      groups.push_back(sub);  // an option group
    else
      node.commands.push_back(sub);
  }
  for (const CLI::App* group : groups)
    for (const CLI::Option* option : group->get_options())
      if (is_shown(*option)) node.options.push_back(option);
  const std::vector<const CLI::App*> commands = node.commands;
  out->push_back(std::move(node));
  for (const CLI::App* sub : commands) collect(*sub, path + " " + sub->get_name(), out);
}

std::vector<Node> nodes_of(const CLI::App& app) {
  std::vector<Node> out;
  collect(app, app.get_name(), &out);
  return out;
}

std::vector<std::string> flags_of(const CLI::Option& option) {
  std::vector<std::string> out;
  for (const std::string& name : option.get_lnames()) out.push_back("--" + name);
  for (const std::string& name : option.get_snames()) out.push_back("-" + name);
  return out;
}

std::string join(const std::vector<std::string>& words, const char* separator) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

// `text` with a backslash before each of `special`.
std::string escape(const std::string& text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// Escapes a text that stands in single quotes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string function_name(const Node& node) {
  std::string name = "_" + node.path;
  for (char& c : name)
    if (c == ' ' || c == '-') c = '_';
  return name;
}

std::string first_sentence(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string bash_script(const std::vector<Node>& nodes) {
  std::ostringstream out;
  const std::string name = nodes.front().path;
  out << "# bash completion of " << name << "\n_" << name << "_completion() {\n"
      << "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
      << "  local path=" << name << " words='' i\n"
      << "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      << "    case \"$path ${COMP_WORDS[i]}\" in\n";
  for (size_t i = 1; i < nodes.size(); ++i)
    out << "      " << quoted(nodes[i].path) << ") path=" << quoted(nodes[i].path) << " ;;\n";
  out << "    esac\n  done\n  case \"$path:$prev\" in\n";
  for (const Node& node : nodes)
    for (const CLI::Option* option : node.options) {
      if (flags_of(*option).empty() || option_placeholder(*option).empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& flag : flags_of(*option))
        patterns.push_back(quoted(node.path + ":" + flag));
      out << "    " << join(patterns, "|") << ") ";
      if (const auto choices = option_choices(*option); !choices.empty())
        out << "mapfile -t COMPREPLY < <(compgen -W " << quoted(join(choices, " "))
            << " -- \"$cur\")";
      else
        out << "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";
      out << "; return ;;\n";
    }
  out << "  esac\n  case \"$path\" in\n";
  for (const Node& node : nodes) {
    std::vector<std::string> words;
    for (const CLI::App* sub : node.commands) words.push_back(sub->get_name());
    for (const CLI::Option* option : node.options)
      for (const std::string& flag : flags_of(*option)) words.push_back(flag);
    for (const CLI::Option* option : node.options)
      if (!option->nonpositional())
        for (const std::string& choice : option_choices(*option)) words.push_back(choice);
    out << "    " << quoted(node.path) << ") words=" << quoted(join(words, " ")) << " ;;\n";
  }
  out << "  esac\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n"
      << "complete -o filenames -o bashdefault -F _" << name << "_completion " << name << "\n";
  return out.str();
}

std::string zsh_option(const CLI::Option& option) {
  const std::string help = escape(first_sentence(option_description(option)), "[]:\\");
  const std::string value = option_placeholder(option);
  std::string action;
  if (const auto choices = option_choices(option); !choices.empty())
    action = "(" + join(choices, " ") + ")";
  else
    action = "_files";
  const std::string tail = value.empty() ? "" : ":" + escape(value, ":\\") + ":" + action;
  if (!option.nonpositional()) return " " + quoted("*" + tail);
  std::string out;
  for (const std::string& flag : flags_of(option))
    out += " " + quoted("*" + flag + "[" + help + "]" + tail);
  return out;
}

std::string zsh_script(const std::vector<Node>& nodes) {
  std::ostringstream out;
  out << "#compdef " << nodes.front().path << "\n";
  for (const Node& node : nodes) {
    out << function_name(node) << "() {\n  local context state line\n  typeset -A opt_args\n"
        << "  _arguments -C -s";
    for (const CLI::Option* option : node.options) out << " \\\n   " << zsh_option(*option);
    if (node.commands.empty()) {
      out << "\n}\n";
      continue;
    }
    out << " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n"
        << "    command)\n      local -a commands=(";
    for (const CLI::App* sub : node.commands)
      out << "\n        " << quoted(sub->get_name() + ":" + first_sentence(sub->get_description()));
    out << "\n      )\n      _describe command commands ;;\n    argument)\n      case $words[1] "
           "in\n";
    for (const CLI::App* sub : node.commands)
      out << "        " << sub->get_name() << ") "
          << function_name({.path = node.path + " " + sub->get_name(),
                            .app = sub,
                            .options = {},
                            .commands = {}})
          << " ;;\n";
    out << "      esac ;;\n  esac\n}\n";
  }
  const std::string main_function = function_name(nodes.front());
  // Read by `source` it registers itself; as a file in $fpath it is the function's body.
  out << "if [ \"$funcstack[1]\" = " << main_function << " ]; then\n  " << main_function
      << " \"$@\"\nelse\n  compdef " << main_function << " " << nodes.front().path << "\nfi\n";
  return out.str();
}

// Words that must have been given, and commands below them that must not.
std::string fish_condition(const Node& node) {
  std::istringstream words(node.path.substr(std::min(node.path.size(), node.path.find(' '))));
  std::string condition;
  for (std::string word; words >> word;)
    condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
  if (node.commands.empty()) return condition;
  std::vector<std::string> subs;
  for (const CLI::App* sub : node.commands) subs.push_back(sub->get_name());
  return condition + (condition.empty() ? "" : "; and ") + "not __fish_seen_subcommand_from " +
         join(subs, " ");
}

std::string fish_script(const std::vector<Node>& nodes) {
  std::ostringstream out;
  const std::string name = nodes.front().path;
  out << "# fish completion of " << name << "\n";
  for (const Node& node : nodes) {
    const std::string condition = fish_condition(node);
    const std::string start =
        "complete -c " + name + (condition.empty() ? "" : " -n " + quoted(condition));
    for (const CLI::App* sub : node.commands)
      out << start << " -f -a " << sub->get_name() << " -d "
          << quoted(first_sentence(sub->get_description())) << "\n";
    for (const CLI::Option* option : node.options) {
      if (!option->nonpositional()) continue;
      out << start;
      for (const std::string& flag : option->get_lnames()) out << " -l " << flag;
      for (const std::string& flag : option->get_snames()) out << " -s " << flag;
      if (!option_placeholder(*option).empty()) out << " -r";
      if (const auto choices = option_choices(*option); !choices.empty())
        out << " -f -a " << quoted(join(choices, " "));
      out << " -d " << quoted(first_sentence(option_description(*option))) << "\n";
    }
  }
  return out.str();
}

// Text for roff: hyphens stay hyphens, and no line is taken for a request.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n'))
      out += std::string("\\&") + c;
    else
      out += c;
  }
  return out;
}

void write_options(const Node& node, std::ostringstream* out) {
  for (const CLI::Option* option : node.options)
    if (option != node.app->get_help_ptr() || node.app->get_parent() == nullptr)
      *out << ".TP\n.B " << roff(option_synopsis(*option)) << "\n"
           << roff(option_description(*option)) << "\n";
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  const std::vector<Node> nodes = nodes_of(app);
  if (shell == "zsh") return zsh_script(nodes);
  return shell == "fish" ? fish_script(nodes) : bash_script(nodes);
}

std::string man_page(const CLI::App& app, const ManPage& page) {
  const std::vector<Node> nodes = nodes_of(app);
  const std::string& name = nodes.front().path;
  std::string title = name;
  for (char& c : title) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::ostringstream out;
  out << ".TH " << title << " " << page.section << " \"\" \"" << page.version << "\"\n"
      << ".SH NAME\n"
      << name << " \\- " << roff(first_sentence(app.get_description())) << "\n"
      << ".SH SYNOPSIS\n.B " << name << "\n"
      << (nodes.size() > 1 ? "COMMAND [OPTIONS]" : "[OPTIONS]") << "\n.SH OPTIONS\n";
  write_options(nodes.front(), &out);
  if (nodes.size() > 1) out << ".SH COMMANDS\n";
  for (size_t i = 1; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    out << ".SS " << roff(node.path.substr(name.size() + 1)) << "\n"
        << roff(node.app->get_description()) << ".\n";
    write_options(node, &out);
    if (!node.app->get_footer().empty())
      out << ".PP\n.nf\n" << roff(node.app->get_footer()) << "\n.fi\n";
  }
  if (!app.get_footer().empty())
    out << ".SH EXAMPLES\n.nf\n" << roff(app.get_footer()) << "\n.fi\n";
  out << page.files << ".SH SEE ALSO\n" << page.see_also << "\n";
  return out.str();
}

void add_generate_flag(CLI::App& app, const ManPage& page) {
  app.add_option_function<std::string>(
         "--generate",
         [&app, page](const std::string& what) {
           std::cout << (what == "man" ? man_page(app, page) : completion_script(app, what));
           throw CLI::Success();
         },
         "")
      ->check(CLI::IsMember({"bash", "zsh", "fish", "man"}))
      ->group("");
}

}  // namespace tern
