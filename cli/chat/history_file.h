// What was typed in earlier conversations, kept in a file that only its user may read.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace tern {

/// $TERN_CHAT_HISTORY where it is set (empty: none is kept), else chat_history below
/// $XDG_STATE_HOME/tern or ~/.local/state/tern. Empty where there is no home either.
std::string default_history_path();

/// One message a line, with `\n` for a line feed and `\\` for a backslash. Several processes may
/// add to one file.
class HistoryFile {
 public:
  /// An empty path keeps nothing.
  explicit HistoryFile(std::string path) : path_(std::move(path)) {}

  /// The last kMostMessages, oldest first; none where there is no file yet. Cuts a file that has
  /// grown to twice that.
  Result<std::vector<std::string>> load() const;

  /// Makes the file and its folders where they are missing, for this user alone.
  Status add(const std::string& message) const;

  static constexpr size_t kMostMessages = 1000;

 private:
  const std::string path_;
};

}  // namespace tern
