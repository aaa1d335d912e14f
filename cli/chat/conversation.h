// The messages of a conversation, and what may be done with them.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tern/v1/inference.pb.h"

namespace tern {

/// A system message where there is one, then exchanges: a message and its answer. The last may
/// still lack its answer.
class Conversation {
 public:
  explicit Conversation(std::string system) { set_system(std::move(system)); }

  const v1::ChatInput& messages() const { return chat_; }
  const std::string& system() const { return system_; }

  /// Forgets all messages, and begins with this one (empty: with none).
  void set_system(std::string system);
  void reset() { set_system(std::string(system_)); }

  /// A message to be answered. One that still waits for its answer gives way to it.
  void ask(std::string text);
  /// The answer to the last message.
  void answer(std::string text);
  bool waits_for_answer() const;
  /// Forgets a message that has no answer.
  void take_back_message();
  /// Forgets the last answer, so that its message waits for one. False where there is no message.
  bool take_back_answer();
  /// Forgets the oldest exchange; false where none is complete.
  bool drop_oldest();

  /// [{"role": …, "content": …}, …], as `tern template` reads it.
  nlohmann::json to_json() const;
  /// Writes the conversation for people: each message stands below its role.
  std::string to_text() const;

 private:
  void add(const char* role, std::string content);
  int first_exchange() const { return system_.empty() ? 0 : 1; }

  std::string system_;
  v1::ChatInput chat_;
};

}  // namespace tern
