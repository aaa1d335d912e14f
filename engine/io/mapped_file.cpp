#include "engine/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

namespace tern {
namespace {

Status file_error(const std::string& path, std::string_view action, int error) {
  std::error_code ignored;
  if (error == ENOENT && std::filesystem::is_symlink(path, ignored))
    return invalid_argument(path + ": is a link to " +
                            std::filesystem::read_symlink(path, ignored).string() +
                            ", which does not exist");
  const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound
                    : error == EACCES || error == EPERM ? Code::kPermissionDenied
                    : error == ENOMEM || error == EMFILE || error == ENFILE
                        ? Code::kResourceExhausted
                    : error == ENAMETOOLONG || error == ELOOP ? Code::kInvalidArgument
                                                              : Code::kUnavailable;
  return {code, path + ": cannot " + std::string(action) + ": " + std::strerror(error)};
}

/// A descriptor of a regular file, closed at the end of the scope.
class OpenFile {
 public:
  OpenFile() = default;
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  Status open(const std::string& path) {
    if (path.find('\0') != std::string::npos) return invalid_argument("a path holds a zero byte");
    // O_NONBLOCK: a FIFO is refused below instead of waiting for its writer.
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) return file_error(path, "open", errno);
    struct stat info;
    if (::fstat(fd_, &info) != 0) return file_error(path, "stat", errno);
    if (!S_ISREG(info.st_mode)) return invalid_argument(path + ": is not a regular file");
    size_ = size_t(info.st_size);
    return {};
  }

  int fd() const { return fd_; }
  size_t size() const { return size_; }

 private:
  int fd_ = -1;
  size_t size_ = 0;
};

/// kInvalidArgument where the file is a note that Git LFS has left in its place.
Status check_no_lfs_pointer(const std::string& path, std::string_view bytes) {
  constexpr size_t kMaxBytes = 1024;  // the longest that Git LFS allows for a pointer
  // A pointer's first line: that of today, and what it was under the program's earlier names.
  constexpr std::string_view kVersions[] = {"https://git-lfs.github.com/spec/v1",
                                            "https://hawser.github.com/spec/v1",
                                            "http://git-media.io/v/2"};
  constexpr std::string_view kKey = "version ";
  if (bytes.size() > kMaxBytes) return {};
  const std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
  if (line.size() == bytes.size() || !line.starts_with(kKey) ||
      std::ranges::find(kVersions, line.substr(kKey.size())) == std::end(kVersions))
    return {};
  constexpr std::string_view kSize = "\nsize ";
  const size_t at = bytes.find(kSize);
  const std::string_view rest = at == bytes.npos ? "?" : bytes.substr(at + kSize.size());
  const std::string_view size = rest.substr(0, rest.find_first_of("\r\n"));
  return invalid_argument(path + ": is a Git LFS pointer, not the file of " + std::string(size) +
                          " bytes that it stands for; run 'git lfs pull' in its repository to get "
                          "that");
}

}  // namespace

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  OpenFile file;
  TERN_TRY(file.open(path));
  MappedFile mapped;
  if (file.size() == 0) return mapped;
  void* data = ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.fd(), 0);
  if (data == MAP_FAILED) return file_error(path, "map", errno);
  mapped.data_ = static_cast<const std::byte*>(data);
  mapped.size_ = file.size();
  TERN_TRY(check_no_lfs_pointer(path, {static_cast<const char*>(data), file.size()}));
  return mapped;
}

Result<std::string> read_text_file(const std::string& path, size_t max_bytes) {
  OpenFile file;
  TERN_TRY(file.open(path));
  if (file.size() > max_bytes)
    return invalid_argument(path + ": has " + std::to_string(file.size()) + " bytes, limit " +
                            std::to_string(max_bytes));
  std::string text(file.size(), '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::read(file.fd(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path, "read", errno);
    if (n == 0) break;  // it shrank meanwhile
    done += size_t(n);
  }
  text.resize(done);
  TERN_TRY(check_no_lfs_pointer(path, text));
  return text;
}

}  // namespace tern
