// The messages of a conversation, and the file of what was typed.
#include "cli/chat/conversation.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/chat/history_file.h"
#include "cli/support/terminal.h"

using namespace tern;

namespace {

std::string text_of(const Conversation& conversation) {
  std::string out;
  for (const v1::ChatMessage& message : conversation.messages().messages())
    out += message.role().substr(0, 1) + ":" + message.content() + " ";
  return out;
}

struct Folder {
  Folder() {
    char name[] = "/tmp/tern-history-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}

}  // namespace

TEST_CASE("a conversation stays one of messages and answers", "[chat]") {
  Conversation c("be brief");
  CHECK(text_of(c) == "s:be brief ");
  CHECK(!c.take_back_answer());
  CHECK(!c.drop_oldest());
  c.ask("one");
  CHECK(c.waits_for_answer());
  c.ask("two");  // the first had none
  CHECK(text_of(c) == "s:be brief u:two ");
  c.answer("2");
  c.take_back_message();  // it has its answer
  CHECK(text_of(c) == "s:be brief u:two a:2 ");
  CHECK(c.take_back_answer());
  CHECK(c.take_back_answer());  // again: it still waits
  CHECK(text_of(c) == "s:be brief u:two ");
  c.answer("2b");
  c.ask("three");
  CHECK(c.drop_oldest());
  CHECK(text_of(c) == "s:be brief u:three ");
  CHECK(!c.drop_oldest());
  c.take_back_message();
  CHECK(text_of(c) == "s:be brief ");
  c.set_system("");
  CHECK(text_of(c).empty());
  c.ask("four");
  c.answer("4");
  CHECK(c.to_json().dump() ==
        R"([{"content":"four","role":"user"},{"content":"4","role":"assistant"}])");
  CHECK(c.to_text() == "[user]\nfour\n\n[assistant]\n4\n");
}

TEST_CASE("the history file keeps messages for its user alone", "[chat]") {
  const Folder folder;
  const HistoryFile file(folder.path + "/a/b/history");
  CHECK(file.load()->empty());
  const std::vector<std::string> messages = {"one", "two\nlines \\n and \\\\", "", "日本"};
  for (const std::string& message : messages) REQUIRE(file.add(message).ok());
  CHECK(*file.load() == messages);
  CHECK(mode_of(folder.path + "/a/b/history") == 0600);
  CHECK(mode_of(folder.path + "/a") == 0700);
  CHECK(mode_of(folder.path + "/a/b") == 0700);

  std::filesystem::permissions(folder.path + "/a/b/history", std::filesystem::perms(0644));
  REQUIRE(file.add("five").ok());
  CHECK(mode_of(folder.path + "/a/b/history") == 0600);
  CHECK(HistoryFile("").add("x").ok());
  CHECK(HistoryFile("").load()->empty());
  CHECK(!HistoryFile(folder.path).add("x").ok());  // a folder
}

TEST_CASE("the history file does not grow for ever", "[chat]") {
  const Folder folder;
  const std::string path = folder.path + "/history";
  constexpr size_t kMost = HistoryFile::kMostMessages;
  std::ofstream out(path);
  for (size_t i = 0; i <= 2 * kMost; ++i) out << "m" << i << "\n";
  out.close();
  const HistoryFile file(path);
  const auto loaded = *file.load();
  CHECK(loaded.size() == kMost);
  CHECK(loaded.back() == "m" + std::to_string(2 * kMost));
  CHECK(std::filesystem::file_size(path) < 7 * (kMost + 1));
  CHECK(mode_of(path) == 0600);
  CHECK(*file.load() == loaded);
}

TEST_CASE("the history's place follows the environment", "[chat]") {
  setenv("HOME", "/home/me", 1);
  unsetenv("TERN_CHAT_HISTORY");
  unsetenv("XDG_STATE_HOME");
  CHECK(default_history_path() == "/home/me/.local/state/tern/chat_history");
  setenv("XDG_STATE_HOME", "relative", 1);  // to be ignored, by the specification
  CHECK(default_history_path() == "/home/me/.local/state/tern/chat_history");
  setenv("XDG_STATE_HOME", "/state", 1);
  CHECK(default_history_path() == "/state/tern/chat_history");
  setenv("TERN_CHAT_HISTORY", "", 1);
  CHECK(default_history_path().empty());
  setenv("TERN_CHAT_HISTORY", "/else", 1);
  CHECK(default_history_path() == "/else");
  unsetenv("TERN_CHAT_HISTORY");
  unsetenv("XDG_STATE_HOME");
}

TEST_CASE("an answer cannot steer the terminal", "[chat]") {
  CHECK(without_controls("a\033[2Jb\a\r\nc\td\x7f") == "a[2Jb\nc\td");
  CHECK(without_controls("\xc2\x9b"
                         "31mé語") == "31mé語");
}
