// tern completion: what makes a shell complete tern's commands and flags.
#include <iostream>
#include <memory>

#include "base/command_line/generated.h"
#include "cli/commands.h"

namespace tern {

void add_completion(CLI::App& app, Action& action) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a shell's completion script");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer("Example:\n  source <(tern completion bash)");
  command->callback([shell, &app, &action] {
    action = [shell, &app] {
      std::cout << completion_script(app, *shell);
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace tern
