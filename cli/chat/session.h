// A conversation between somebody at a terminal, or a script, and a server.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/chat/conversation.h"
#include "cli/chat/line_editor.h"
#include "cli/chat/spinner.h"
#include "cli/support/client.h"

namespace tern {

/// Messages are sent, lines that begin with a slash are commands (/help lists them). On a terminal
/// a message outlives the server: it is sent again when the server is back, or by /retry.
class ChatSession {
 public:
  struct Options {
    std::string system;
    v1::SamplingParams sampling;
    bool interactive = false;  ///< somebody reads along, and may act on what failed
    /// Called with each message that was typed; may be empty.
    std::function<void(const std::string&)> on_message;
  };

  ChatSession(Client& client, Options options);

  /// Learns what model it is. An exit code where there is no chat to be had.
  int connect();

  /// Says who is there and how to get help.
  void greet() const;

  /// Talks until the end of the messages or a failure that a script must not talk past. Returns the
  /// exit code.
  int converse(MessageReader& messages);

  /// "/help", …, for completion.
  static std::vector<std::string> command_names();

 private:
  struct Command;
  static const std::vector<Command>& commands();

  void help();
  void reset();
  void leave();
  void save(const std::string& path);
  void change_system(const std::string& text);
  void retry();
  void drop(const std::string& count);

  void run_command(const std::string& line);
  /// Sends the conversation, whose last message waits for its answer.
  CallStatus send();
  CallStatus stream(v1::Finished* finished, std::string* answer);
  bool wait_for_server();
  /// Asks what model it is, and says what has changed.
  /// `waiting` has been shown while it was away; null: nobody noticed.
  CallStatus ask_for_model(Spinner* waiting);
  void take(const v1::Finished& finished, std::string answer);
  void explain(const CallStatus& end);
  void say(const std::string& line) const;
  /// A command that was not carried out; it ends a script.
  void refuse(const std::string& why);

  Client& client_;
  const Options options_;
  Conversation conversation_;
  v1::ModelInfo model_;
  std::string saved_file_;      // by this session, which may write it again
  bool wants_answer_ = false;   // a command asked for it
  bool is_refused_ = false;     // a command, see refuse()
  bool is_cause_told_ = false;  // of the failure that is waited for to pass
  bool left_ = false;
};

}  // namespace tern
