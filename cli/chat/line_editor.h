// Messages typed on a terminal: editing, history and paste, by libedit.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace tern {

/// Where messages come from.
class MessageReader {
 public:
  enum class Outcome {
    kMessage,
    kInterrupted,  ///< Ctrl-C: what was typed is forgotten
    kEnd           ///< Ctrl-D, or the end of the file
  };
  virtual ~MessageReader() = default;

  /// Blocks. `message` may have several lines; without the last line feed.
  virtual Outcome read(std::string* message) = 0;
};

/// Line by line from stdin, which is no terminal.
class PlainReader final : public MessageReader {
 public:
  Outcome read(std::string* message) override;
};

/// One at a time; make it on the thread that reads, and before other threads: SIGWINCH, SIGCONT and
/// SIGTSTP are blocked from then on; this thread takes them while it waits for a key. Between two
/// read() the terminal echoes nothing and Ctrl-C is a signal; what is typed then is read next.
class LineEditor final : public MessageReader {
 public:
  /// Prompts on stderr, or on stdout where stderr is no terminal. `history`: oldest first;
  /// `words` are what Tab completes at the beginning of a line.
  LineEditor(const std::vector<std::string>& history, std::vector<std::string> words);
  ~LineEditor() override;

  Outcome read(std::string* message) override;

  /// The arrow keys find it from now on.
  void remember(const std::string& message);

  /// The terminal as it was found. Any thread, for when the process ends elsewhere.
  void restore_terminal() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern
