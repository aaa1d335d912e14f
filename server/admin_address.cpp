#include "server/admin_address.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace tern {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// In a folder that others could write to, they could take the socket's place.
Status make_private(const std::string& dir) {
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    return Status(Code::kUnavailable, "admin.listen: cannot make " + dir + ": " +
                                          std::strerror(errno) + "; set admin.listen");
  struct stat info {};
  if (lstat(dir.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid() ||
      (info.st_mode & 022) != 0)
    return Status(Code::kUnavailable,
                  "admin.listen: " + dir +
                      " is no folder that only this user can write to; set admin.listen");
  return {};
}

// "127.0.0.1-50051", "--1-50051" of "[::1]:50051": an address as a part of a file's name, short
// enough for the path of a socket.
std::string file_name(const std::string& address) {
  constexpr size_t kMostHostBytes = 40;
  const size_t colon = address.rfind(':');
  std::string out;
  for (const char c : address.substr(0, std::min(colon, kMostHostBytes)))
    if (c != '[' && c != ']')
      out += std::isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '-';
  return out + "-" + address.substr(colon + 1);
}

Result<std::string> runtime_directory() {
  const std::string systemd = environment("RUNTIME_DIRECTORY");
  if (!systemd.empty()) return systemd.substr(0, systemd.find(':'));
  const std::string session = environment("XDG_RUNTIME_DIR");
  const std::string dir =
      session.empty() ? "/tmp/tern-" + std::to_string(geteuid()) : session + "/tern";
  TERN_TRY(make_private(dir));
  return dir;
}

}  // namespace

Result<std::string> resolve_admin_address(const std::string& setting,
                                          const std::vector<std::string>& listen) {
  if (setting != "auto") return setting;
  const std::string& first = listen.at(0);
  if (first.starts_with("unix:")) return first + ".admin";
  TERN_ASSIGN(const std::string dir, runtime_directory());
  return "unix:" + dir + "/ternd-" + file_name(first) + ".sock";
}

}  // namespace tern
