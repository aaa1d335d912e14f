#include "bench/support/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace tern::bench {
namespace {

Status cannot_write(const std::string& path) {
  return Status(Code::kUnavailable, "cannot write " + path + ": " + std::strerror(errno));
}

}  // namespace

Status check_writable(const std::string& path) {
  struct stat before {};
  // Opening a pipe would wait for its reader.
  if (::stat(path.c_str(), &before) == 0 && !S_ISREG(before.st_mode) && !S_ISDIR(before.st_mode))
    return ::access(path.c_str(), W_OK) == 0 ? Status() : cannot_write(path);
  const bool is_there = ::lstat(path.c_str(), &before) == 0;  // a link to nothing yet is there too
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return cannot_write(path);
  ::close(file);
  if (!is_there) ::unlink(path.c_str());
  return {};
}

Status write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? Status() : cannot_write(path);
}

}  // namespace tern::bench
