#include "base/command_line/value_rules.h"

#include <cstdint>
#include <string>

#include "base/command_line/command_line.h"
#include "base/command_line/value_mistakes.h"
#include "base/decimal.h"

namespace tern {
namespace {

bool is_whole_number(const std::string& text) {
  const size_t first = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  return text.size() > first && text.find_first_not_of("0123456789", first) == std::string::npos;
}

// What is wrong with `text`, or nothing: then it is written so that CLI11 reads it as decimal.
template <class Integer>
std::string check_integer(const CLI::Option& option, std::string& text) {
  if (const auto value = parse_decimal<Integer>(text)) {
    text = std::to_string(*value);
    return "";
  }
  const bool is_limited = !option_range(option).empty();
  if (!is_whole_number(text) || is_limited) return not_allowed(option, text);
  if (std::is_unsigned_v<Integer> && text.starts_with('-'))
    return "takes no negative number, but is " + text;
  return "cannot be as large as " + text;
}

std::string check_real(const CLI::Option& option, const std::string& text) {
  return parse_decimal<double>(text) ? "" : not_allowed(option, text);
}

void set_rules(CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return;  // a flag without a value
  if (option.nonpositional()) option.allow_extra_args(false);
  // In front of the other checks, which read numbers in CLI11's way.
  const auto set_integer = [&option](auto check) {
    option.transform(
        CLI::Validator([&option, check](std::string& text) { return check(option, text); }, ""));
  };
  const std::string type = value_type(option);
  if (type == "UINT") set_integer(check_integer<uint64_t>);
  if (type == "INT") set_integer(check_integer<int64_t>);
  // Behind the other checks: some of them make the number, of a time with its unit.
  if (type == "FLOAT")
    option.check([&option](const std::string& text) { return check_real(option, text); });
}

}  // namespace

void set_value_rules(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) set_rules(*option);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    set_value_rules(*command);
}

}  // namespace tern
