// tern template: the prompt that a model's chat template makes of a conversation.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/files/render_template.h"
#include "cli/support/output.h"

namespace tern {

void add_template(CLI::App& app, Action& action) {
  auto options = std::make_shared<RenderOptions>();
  auto as_json = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("template", "Messages to a prompt through the model's chat template");
  command->add_option("--model", options->model, "Model directory or name of a bundled model")
      ->required();
  command
      ->add_option("--messages", options->messages_file,
                   "File with a JSON array of {role, content}; - is stdin")
      ->required();
  command->add_option("--tools", options->tools_file, "File with a JSON array of tools");
  command->add_flag("!--no-generation-prompt", options->add_generation_prompt,
                    "Do not end where the answer begins");
  command->add_flag("--continue-final-message", options->continue_final_message,
                    "End with the text of the last message, for the answer to go on with it");
  command->add_flag("--json", *as_json, "Print one JSON document");
  command->footer("Example:\n  tern template --model tern-stories --messages chat.json");
  command->callback([options, as_json, &action] {
    action = [options, as_json] {
      const Result<nlohmann::json> result = render_template(*options);
      if (!result.ok()) return fail(result.status());
      if (*as_json)
        print_json(*result);
      else
        std::cout << (*result)["text"].get<std::string>() << std::endl;
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace tern
