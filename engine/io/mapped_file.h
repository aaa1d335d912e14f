// A whole file, read-only, in memory without copying.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/status.h"

namespace tern {

/// Move-only. The bytes stay valid as long as the object lives.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  /// kNotFound, kPermissionDenied, or kInvalidArgument (not a regular file; a Git LFS pointer; a
  /// link to what does not exist), naming the path. An empty file is mapped as an empty span.
  static Result<MappedFile> open(const std::string& path);

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// The whole of a small text file. Errors as MappedFile::open; kInvalidArgument where it is larger
/// than `max_bytes`.
Result<std::string> read_text_file(const std::string& path, size_t max_bytes = size_t(256) << 20);

}  // namespace tern
