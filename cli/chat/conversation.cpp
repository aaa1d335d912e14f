#include "cli/chat/conversation.h"

#include <nlohmann/json.hpp>

namespace tern {
namespace {

constexpr const char* kUser = "user";
constexpr const char* kAssistant = "assistant";

}  // namespace

void Conversation::add(const char* role, std::string content) {
  v1::ChatMessage& message = *chat_.add_messages();
  message.set_role(role);
  message.set_content(std::move(content));
}

void Conversation::set_system(std::string system) {
  system_ = std::move(system);
  chat_.clear_messages();
  if (!system_.empty()) add("system", system_);
}

void Conversation::ask(std::string text) {
  take_back_message();
  add(kUser, std::move(text));
}

void Conversation::answer(std::string text) {
  add(kAssistant, std::move(text));
}

bool Conversation::waits_for_answer() const {
  return chat_.messages_size() > 0 && chat_.messages(chat_.messages_size() - 1).role() == kUser;
}

void Conversation::take_back_message() {
  if (waits_for_answer()) chat_.mutable_messages()->RemoveLast();
}

bool Conversation::take_back_answer() {
  if (!waits_for_answer() && chat_.messages_size() > first_exchange())
    chat_.mutable_messages()->RemoveLast();
  return waits_for_answer();
}

bool Conversation::drop_oldest() {
  const int num_complete = chat_.messages_size() - first_exchange() - waits_for_answer();
  if (num_complete < 2) return false;
  chat_.mutable_messages()->DeleteSubrange(first_exchange(), 2);
  return true;
}

nlohmann::json Conversation::to_json() const {
  nlohmann::json out = nlohmann::json::array();
  for (const v1::ChatMessage& message : chat_.messages())
    out.push_back({{"role", message.role()}, {"content", message.content()}});
  return out;
}

std::string Conversation::to_text() const {
  std::string out;
  for (const v1::ChatMessage& message : chat_.messages())
    out += (out.empty() ? "[" : "\n[") + message.role() + "]\n" + message.content() + "\n";
  return out;
}

}  // namespace tern
