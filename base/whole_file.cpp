#include "base/whole_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tern {
namespace {

Status cannot_read(const std::string& path, Code code, const std::string& why) {
  return {code, "cannot read " + path + ": " + why};
}

Code code_of(int error) {
  if (error == ENOENT || error == ENOTDIR) return Code::kNotFound;
  return error == EACCES || error == EPERM ? Code::kPermissionDenied : Code::kUnavailable;
}

}  // namespace

Result<std::string> read_whole_file(const std::string& path) {
  std::error_code ignored;
  // A directory can be opened, and only reading it fails, without a reason.
  if (std::filesystem::is_directory(path, ignored))
    return cannot_read(path, Code::kInvalidArgument, "it is a directory");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return cannot_read(path, code_of(errno), std::strerror(errno));
  std::ostringstream text;
  // Copying nothing would count as a failure.
  if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (file.bad() || !text) return cannot_read(path, Code::kUnavailable, std::strerror(errno));
  return std::move(text).str();
}

}  // namespace tern
