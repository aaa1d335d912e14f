#include "engine/io/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/math.h"

namespace tern {
namespace {

std::string format_name(DType dtype) {
  if (dtype == DType::kBf16) return "BF16";
  return dtype == DType::kF16 ? "F16" : "F32";
}

// Length, then JSON, padded so that the tensors begin aligned.
std::string make_header(const std::vector<TensorSpec>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = {{"__metadata__", metadata}};
  uint64_t offset = 0;
  for (const TensorSpec& t : tensors) {
    header[t.name] = {{"dtype", format_name(t.dtype)},
                      {"shape", t.shape},
                      {"data_offsets", {offset, offset + t.bytes()}}};
    offset += t.bytes();
  }
  std::string text = header.dump();
  text.resize(round_up(text.size() + 8, 64) - 8, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

}  // namespace

int64_t TensorSpec::num_elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

Result<SafetensorsWriter> SafetensorsWriter::create(
    const std::string& path, const std::vector<TensorSpec>& tensors,
    const std::map<std::string, std::string>& metadata) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0)
    return Status(errno == EEXIST ? Code::kAlreadyExists : Code::kUnavailable,
                  "cannot make " + path + ": " + std::strerror(errno));
  SafetensorsWriter writer(path, fd);
  const std::string header = make_header(tensors, metadata);
  TERN_TRY(writer.write(std::as_bytes(std::span(header.data(), header.size()))));
  return writer;
}

SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

SafetensorsWriter::~SafetensorsWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

Status SafetensorsWriter::fail(int error) const {
  return Status(error == ENOSPC || error == EDQUOT ? Code::kResourceExhausted : Code::kUnavailable,
                "cannot write " + path_ + ": " + std::strerror(error));
}

Status SafetensorsWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(errno);
    bytes = bytes.subspan(size_t(written));
  }
  return {};
}

Status SafetensorsWriter::finish() {
  // Some file systems say only here that there was no space.
  if (::fsync(fd_) != 0 && errno != EINVAL) return fail(errno);
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) == 0) return {};
  const int error = errno;
  ::unlink(path_.c_str());
  return fail(error);
}

}  // namespace tern
