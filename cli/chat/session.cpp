#include "cli/chat/session.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "base/closest_word.h"
#include "cli/support/exit_code.h"
#include "cli/support/output.h"
#include "cli/support/terminal.h"

namespace tern {
namespace {

constexpr Seconds kServerPatience{15.0};  // for one that cannot be reached
constexpr Seconds kRetryInterval{0.5};
constexpr double kNearlyFull = 0.8;  // of the context

// The server is there and says itself that this passes, or will be there again.
bool is_away(const CallStatus& end) {
  return end.unreachable ? end.status.code() == Code::kUnavailable
                         : end.reason == "LOADING" || end.reason == "DRAINING";
}

std::string expand_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return home && path.starts_with("~/") ? home + path.substr(1) : path;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// All of it or nothing: what `path` held before stays where the text cannot be written.
Status write_file(const std::string& path, const std::string& text) {
  namespace fs = std::filesystem;
  const std::string next = path + "." + std::to_string(getpid());
  std::error_code ignored, error;
  const fs::file_status before = fs::status(path, ignored);
  std::ofstream file(next, std::ios::binary | std::ios::trunc);
  if (file && fs::exists(before)) fs::permissions(next, before.permissions(), ignored);
  file << text << std::flush;
  if (!file) error.assign(errno, std::generic_category());
  file.close();
  if (!error) fs::rename(next, path, error);
  if (!error) return {};
  fs::remove(next, ignored);
  return Status(Code::kUnavailable, "cannot write " + path + ": " + error.message());
}

}  // namespace

struct ChatSession::Command {
  std::string name, argument, help;
  std::function<void(ChatSession&, const std::string&)> run;
};

const std::vector<ChatSession::Command>& ChatSession::commands() {
  static const std::vector<Command> kCommands = {
      {"/help", "", "what can be said here", [](ChatSession& s, auto&) { s.help(); }},
      {"/reset", "", "begin anew", [](ChatSession& s, auto&) { s.reset(); }},
      {"/system", "TEXT", "begin anew with this system message; without TEXT: show it",
       [](ChatSession& s, auto& text) { s.change_system(text); }},
      {"/retry", "", "another answer to the last message, or the one that did not come",
       [](ChatSession& s, auto&) { s.retry(); }},
      {"/drop", "N", "forget the N oldest exchanges [1], to make room in the context",
       [](ChatSession& s, auto& count) { s.drop(count); }},
      {"/save", "FILE", "write the conversation: messages in JSON to *.json, else text",
       [](ChatSession& s, auto& path) { s.save(path); }},
      {"/exit", "", "leave, as Ctrl-D does", [](ChatSession& s, auto&) { s.leave(); }},
  };
  return kCommands;
}

std::vector<std::string> ChatSession::command_names() {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  return names;
}

ChatSession::ChatSession(Client& client, Options options)
    : client_(client), options_(std::move(options)), conversation_(options_.system) {}

void ChatSession::say(const std::string& line) const {
  std::cerr << "tern: " << line << std::endl;
}

void ChatSession::refuse(const std::string& why) {
  say(why);
  is_refused_ = true;
}

int ChatSession::connect() {
  CallStatus end = client_.get_model_info(&model_);
  if (end.reason == "LOADING" && options_.interactive && wait_for_server()) end = {};
  if (!end.ok()) return end.exit_code();
  if (!model_.has_chat_template())
    return fail("chat: the model " + model_.name() + " has no chat template; use generate --raw");
  return kExitDone;
}

void ChatSession::greet() const {
  std::cerr << model_.name() << ", context of " << model_.max_model_len()
            << " tokens (/help; Ctrl-C stops an answer, Ctrl-D leaves)" << std::endl;
}

int ChatSession::converse(MessageReader& messages) {
  using Outcome = MessageReader::Outcome;
  std::string message;
  for (;;) {
    const Outcome outcome = messages.read(&message);
    if (outcome == Outcome::kEnd) break;
    if (outcome == Outcome::kInterrupted || trimmed(message).empty()) continue;
    if (options_.on_message) options_.on_message(message);
    const bool is_escaped = message.starts_with("//");
    wants_answer_ = is_escaped || message.front() != '/';
    if (wants_answer_)
      conversation_.ask(is_escaped ? message.substr(1) : message);
    else
      run_command(message);
    // A script must not talk past a failure, of a command or of an answer.
    if (std::exchange(is_refused_, false) && !options_.interactive) return kExitFailed;
    if (left_) return kExitDone;
    if (!wants_answer_) continue;
    const CallStatus end = send();
    if (end.ok() || (end.interrupted && options_.interactive)) continue;
    if (!options_.interactive) return end.exit_code();
    explain(end);
  }
  if (options_.interactive) std::cerr << std::endl;
  return kExitDone;
}

void ChatSession::run_command(const std::string& line) {
  const size_t space = line.find_first_of(" \t\n");
  const std::string name = line.substr(0, space);
  const std::string argument = space == std::string::npos ? "" : trimmed(line.substr(space));
  for (const Command& command : commands()) {
    if (command.name != name) continue;
    if (command.argument.empty() && !argument.empty())
      return refuse(
          name + " takes nothing after it; a message that begins with / needs another: /" + line);
    return command.run(*this, argument);
  }
  refuse("no such command: " + name + did_you_mean(name, command_names()) +
         " (/help lists them; a message that begins with / needs another: /" + name + ")");
}

void ChatSession::help() {
  for (const Command& c : commands())
    std::cerr << "  " << c.name << ' ' << c.argument
              << std::string(16 - c.name.size() - c.argument.size(), ' ') << c.help << '\n';
  std::cerr << "  //TEXT           say what begins with a slash\n"
               "Ctrl-C stops an answer, Ctrl-D leaves. A paste of several lines is one message; "
               "Alt-Enter begins a new line.\n"
               "Arrow keys find earlier messages, Ctrl-R searches them."
            << std::endl;
}

void ChatSession::reset() {
  conversation_.reset();
}

void ChatSession::leave() {
  left_ = true;
}

void ChatSession::change_system(const std::string& text) {
  if (!text.empty()) return conversation_.set_system(text);
  say(conversation_.system().empty() ? "there is no system message"
                                     : "the system message is: " + conversation_.system());
}

void ChatSession::retry() {
  wants_answer_ = conversation_.take_back_answer();
  if (!wants_answer_) refuse("there is no message yet to be answered again");
}

void ChatSession::drop(const std::string& count) {
  if (count.find_first_not_of("0123456789") != std::string::npos || count.size() > 6 ||
      (!count.empty() && std::stoi(count) == 0))
    return refuse("/drop takes a number of exchanges, not '" + count + "'");
  const int wanted = count.empty() ? 1 : std::stoi(count);
  int dropped = 0;
  while (dropped < wanted && conversation_.drop_oldest()) ++dropped;
  if (dropped == 0) return refuse("there is no complete exchange to drop");
  say(std::to_string(dropped) + (dropped == 1 ? " exchange" : " exchanges") + " dropped" +
      (conversation_.waits_for_answer() ? "; /retry sends the last message again" : ""));
}

void ChatSession::save(const std::string& argument) {
  if (argument.empty()) return refuse("/save needs a file: /save FILE");
  const std::string path = expand_home(argument);
  std::error_code error;
  if (path != saved_file_ && std::filesystem::exists(path, error))
    return refuse(path + " exists already, and is left as it is; /save takes another name");
  const std::string text =
      path.ends_with(".json")
          ? conversation_.to_json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                "\n"
          : conversation_.to_text();
  if (const Status status = write_file(path, text); !status.ok()) return refuse(status.message());
  saved_file_ = path;
  say(std::to_string(conversation_.messages().messages_size()) + " messages saved in " + path);
}

CallStatus ChatSession::stream(v1::Finished* finished, std::string* answer) {
  v1::GenerateRequest request;
  *request.mutable_sampling() = options_.sampling;
  *request.mutable_chat() = conversation_.messages();
  const bool is_screen = isatty(STDOUT_FILENO) != 0;
  Spinner spinner("waiting for the answer");
  const CallStatus end = client_.generate(request, {}, [&](const v1::GenerateEvent& event) {
    if (event.has_finished()) *finished = event.finished();
    if (event.delta().text().empty()) return;
    spinner.stop();
    *answer += event.delta().text();
    std::cout << (is_screen ? without_controls(event.delta().text()) : event.delta().text())
              << std::flush;
  });
  spinner.stop();
  if (end.ok() || !answer->empty()) std::cout << std::endl;
  return end;
}

// What an interrupted answer had come to stays in the conversation; a message that was interrupted
// before that does not. A message that failed waits for /retry.
CallStatus ChatSession::send() {
  for (;;) {
    is_cause_told_ = false;
    v1::Finished finished;
    std::string answer;
    // Behind a new connection another server may stand. Of one that broke unnoticed the answer
    // fails, and wait_for_server() asks.
    CallStatus end = client_.is_connected() ? CallStatus() : ask_for_model(nullptr);
    if (end.ok()) end = stream(&finished, &answer);
    if (end.ok()) {
      take(finished, std::move(answer));
      return end;
    }
    if (end.interrupted && !answer.empty()) conversation_.answer(std::move(answer));
    if (end.interrupted) conversation_.take_back_message();
    if (end.interrupted || !options_.interactive || !is_away(end) || !wait_for_server()) return end;
    if (!answer.empty()) say("the answer broke off; it begins anew");
  }
}

// Waits until the server serves again; false after kServerPatience without a server, and on Ctrl-C.
// One that loads its model may take as long as it wants. Where it is there at once, as after a
// restart that nobody noticed, nothing is said.
bool ChatSession::wait_for_server() {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  auto patience_ends = now() + kServerPatience;
  std::optional<Spinner> spinner;
  do {
    const CallStatus end = ask_for_model(spinner ? &*spinner : nullptr);
    if (end.reason == "LOADING") patience_ends = now() + kServerPatience;
    if (end.ok() || end.interrupted || !is_away(end) || now() > patience_ends) return end.ok();
    if (!spinner) {
      say(end.status.message());
      is_cause_told_ = true;
      say("the conversation is kept; waiting for the server (Ctrl-C gives up)");
      spinner.emplace("waiting for the server");
    }
  } while (client_.wait(kRetryInterval));
  return false;
}

CallStatus ChatSession::ask_for_model(Spinner* waiting) {
  v1::ModelInfo model;
  CallStatus end = client_.get_model_info(&model);
  if (!end.ok()) return end;
  if (waiting) waiting->stop();
  if (waiting || model.name() != model_.name()) say("the server serves " + model.name());
  if (model.max_model_len() != model_.max_model_len())
    say("its context is of " + std::to_string(model.max_model_len()) + " tokens, no longer of " +
        std::to_string(model_.max_model_len()));
  model_ = model;
  return end;
}

void ChatSession::take(const v1::Finished& finished, std::string answer) {
  conversation_.answer(std::move(answer));
  const uint32_t used = finished.usage().prompt_tokens() + finished.usage().completion_tokens();
  const uint32_t limit = model_.max_model_len();
  const std::string share = std::to_string(used) + " of " + std::to_string(limit) + " tokens";
  const bool is_cut = finished.reason() == v1::FINISH_REASON_LENGTH ||
                      finished.reason() == v1::FINISH_REASON_CONTEXT_FULL;
  if (is_cut && used >= limit)
    return say("the answer was cut: the context is full (" + share +
               "). /drop forgets the oldest exchange, /reset begins anew, /save keeps it all");
  if (is_cut)
    say("the answer was cut at max_tokens (" +
        std::to_string(finished.usage().completion_tokens()) + "); --max-tokens sets it" +
        (options_.interactive ? ", a message such as 'Go on.' may go on" : ""));
  if (options_.interactive && used >= kNearlyFull * limit)
    say("the context is nearly full: " + share + "; /drop forgets the oldest exchange");
}

void ChatSession::explain(const CallStatus& end) {
  if (!is_cause_told_)
    say(end.reason.empty() ? end.status.message() : end.status.message() + " (" + end.reason + ")");
  if (end.reason == "CONTEXT_EXCEEDED")
    say("the conversation has outgrown the context of " + std::to_string(model_.max_model_len()) +
        " tokens: /drop forgets the oldest exchange and /retry sends the message again; /reset "
        "begins anew, /save keeps it all");
  else
    say("the conversation is kept; /retry sends the message again");
}

}  // namespace tern
