// tern chat: a conversation with the model of a server, line by line.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>

#include "cli/support/client.h"
#include "cli/commands.h"
#include "cli/support/output.h"
#include "cli/support/sampling_options.h"

namespace tern {
namespace {

struct Options {
  std::string server, system;
  SamplingOptions sampling;
};

void add_message(v1::ChatInput* chat, const char* role, std::string content) {
  v1::ChatMessage& message = *chat->add_messages();
  message.set_role(role);
  message.set_content(std::move(content));
}

class Conversation {
 public:
  Conversation(Client& client, const Options& options) : client_(client) {
    set_sampling(options.sampling, request_.mutable_sampling());
    set_system(options.system);
  }

  /// Forgets all messages.
  void set_system(std::string system) {
    system_ = std::move(system);
    reset();
  }

  /// Forgets all messages but the system's.
  void reset() {
    chat().clear_messages();
    if (!system_.empty()) add_message(&chat(), "system", system_);
  }

  /// Streams the answer to `text`. What an interrupted answer had come to stays in the history; a
  /// message without an answer does not.
  CallStatus say(std::string text) {
    add_message(&chat(), "user", std::move(text));
    std::string answer;
    const CallStatus end =
        client_.generate(request_, {}, [&answer](const v1::GenerateEvent& event) {
          answer += event.delta().text();
          std::cout << event.delta().text() << std::flush;
        });
    if (end.ok() || !answer.empty()) std::cout << std::endl;
    if (end.ok() || (end.interrupted && !answer.empty()))
      add_message(&chat(), "assistant", std::move(answer));
    else
      chat().mutable_messages()->RemoveLast();
    return end;
  }

 private:
  v1::ChatInput& chat() { return *request_.mutable_chat(); }

  Client& client_;
  std::string system_;
  v1::GenerateRequest request_;
};

// Lines that begin with a slash are for the program.
void run_command(const std::string& line, Conversation& conversation) {
  constexpr std::string_view kSystem = "/system ";
  if (line == "/reset")
    conversation.reset();
  else if (line.starts_with(kSystem))
    conversation.set_system(line.substr(kSystem.size()));
  else
    std::cerr << "tern: no such command: " << line << " (/reset, /system TEXT)" << std::endl;
}

int converse(Conversation& conversation, bool is_terminal) {
  for (std::string line;;) {
    if (is_terminal) std::cerr << "> " << std::flush;
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    if (line.front() == '/') {
      run_command(line, conversation);
      continue;
    }
    const CallStatus end = conversation.say(line);
    if (end.ok() || (end.interrupted && is_terminal)) continue;
    const int code = end.exit_code();
    if (!is_terminal || end.unreachable) return code;  // a script must not talk past a failure
  }
  if (is_terminal) std::cerr << std::endl;
  return kExitDone;
}

int run(const Options& options) {
  const bool is_terminal = isatty(STDIN_FILENO) != 0;
  Client client(options.server, [is_terminal] {
    if (!is_terminal) std::_Exit(kExitInterrupted);
    std::cerr << "\n> " << std::flush;  // the terminal has dropped the line
  });
  v1::ModelInfo model;
  if (const CallStatus end = client.get_model_info(&model); !end.ok()) return end.exit_code();
  if (!model.has_chat_template())
    return fail("chat: the model " + model.name() + " has no chat template; use generate --raw");
  if (is_terminal)
    std::cerr << model.name() << " (Ctrl-C stops an answer, Ctrl-D leaves, /reset, /system TEXT)"
              << std::endl;
  Conversation conversation(client, options);
  return converse(conversation, is_terminal);
}

}  // namespace

void add_chat(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("chat", "Talk with a model; each line of stdin is a message");
  command->add_option("--system", options->system, "The system message");
  add_sampling_options(*command, options->sampling);
  add_server_option(*command, options->server);
  command->footer(
      "Lines '/reset' and '/system TEXT' begin a new conversation.\n"
      "Example:\n  tern chat --system 'You are brief.'");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
