#include "cli/chat/history_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace tern {
namespace {

constexpr mode_t kPrivateFile = 0600, kPrivateFolder = 0700;

std::string escaped(const std::string& message) {
  std::string line;
  for (const char c : message) {
    if (c == '\n')
      line += "\\n";
    else if (c == '\\')
      line += "\\\\";
    else
      line += c;
  }
  return line + "\n";
}

std::string unescaped(const std::string& line) {
  std::string message;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size())
      message += line[++i] == 'n' ? '\n' : line[i];
    else
      message += line[i];
  }
  return message;
}

// Each missing folder of `path`, for this user alone.
void make_folders(const std::filesystem::path& path) {
  if (path.empty() || std::filesystem::exists(path)) return;
  make_folders(path.parent_path());
  (void)mkdir(path.c_str(), kPrivateFolder);
}

Status write_to(const std::string& path, int flags, const std::string& text) {
  const auto failure = [&] {
    return Status(Code::kUnavailable, "cannot write " + path + ": " + std::strerror(errno));
  };
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, kPrivateFile);
  if (fd < 0) return failure();
  struct stat info;
  // A file that was there before may be readable for others; a device or a pipe stays as it is.
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) (void)fchmod(fd, kPrivateFile);
  const ssize_t written = write(fd, text.data(), text.size());
  const Status status = written == static_cast<ssize_t>(text.size()) ? Status() : failure();
  close(fd);
  return status;
}

}  // namespace

std::string default_history_path() {
  if (const char* path = std::getenv("TERN_CHAT_HISTORY")) return path;
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state && *state == '/') return std::string(state) + "/tern/chat_history";
  const char* home = std::getenv("HOME");
  if (home && *home == '/') return std::string(home) + "/.local/state/tern/chat_history";
  return "";
}

Result<std::vector<std::string>> HistoryFile::load() const {
  std::error_code ignored;
  if (path_.empty() || !std::filesystem::exists(path_, ignored)) return std::vector<std::string>();
  std::ifstream file(path_, std::ios::binary);
  if (!file)
    return Status(Code::kUnavailable, "cannot read " + path_ + ": " + std::strerror(errno));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(std::move(line));
  const bool is_long = lines.size() > 2 * kMostMessages;
  if (lines.size() > kMostMessages)
    lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(kMostMessages));
  std::string kept;
  for (std::string& line : lines) {
    line = unescaped(line);
    if (is_long) kept += escaped(line);
  }
  if (is_long) {
    const std::string next = path_ + "." + std::to_string(getpid());
    TERN_TRY(write_to(next, O_TRUNC, kept));
    std::filesystem::rename(next, path_, ignored);
  }
  return lines;
}

Status HistoryFile::add(const std::string& message) const {
  if (path_.empty()) return {};
  make_folders(std::filesystem::path(path_).parent_path());
  return write_to(path_, O_APPEND, escaped(message));
}

}  // namespace tern
