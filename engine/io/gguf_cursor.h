// Reads the header of a GGUF file from front to back; nothing beyond the file's end is touched.
#pragma once

#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/io/gguf.h"

namespace tern {

static_assert(std::endian::native == std::endian::little, "GGUF values are read as they lie");

inline constexpr std::string_view kGgufMagic = "GGUF";

/// Bytes of a scalar; 0 for what has no fixed size.
constexpr uint64_t gguf_bytes(GgufType type) {
  constexpr uint64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kBytes[uint32_t(type)];
}

class GgufCursor {
 public:
  explicit GgufCursor(std::span<const std::byte> file) : file_(file) {}

  uint64_t offset() const { return offset_; }
  uint64_t left() const { return file_.size() - offset_; }
  const std::byte* position() const { return file_.data() + offset_; }

  /// Errors, here and below, name `what` and the offset.
  Status read(uint32_t& out, std::string_view what) { return read_raw(out, what); }
  Status read(uint64_t& out, std::string_view what) { return read_raw(out, what); }

  /// A length of 8 bytes and as many characters.
  Status read(std::string_view& out, std::string_view what) {
    uint64_t length = 0;
    TERN_TRY(read_raw(length, what));
    if (length > left()) return past_end(what, length);
    out = {reinterpret_cast<const char*>(position()), size_t(length)};
    offset_ += length;
    return {};
  }

  Status skip(uint64_t bytes) {
    if (bytes > left()) return past_end("value", bytes);
    offset_ += bytes;
    return {};
  }

  /// That `count` things of at least `bytes_each` can follow.
  Status check_count(uint64_t count, uint64_t bytes_each, std::string_view what) const {
    if (count <= left() / bytes_each) return {};
    return invalid_argument(std::to_string(count) + " " + std::string(what) + " of at least " +
                            std::to_string(bytes_each) + " bytes do not fit into the " +
                            std::to_string(left()) + " bytes that follow in the file");
  }

 private:
  template <class T>
  Status read_raw(T& out, std::string_view what) {
    if (sizeof(T) > left()) return past_end(what, sizeof(T));
    std::memcpy(&out, position(), sizeof(T));
    offset_ += sizeof(T);
    return {};
  }

  Status past_end(std::string_view what, uint64_t bytes) const {
    return invalid_argument("the file ends at " + std::to_string(file_.size()) + ", before the " +
                            std::to_string(bytes) + " bytes of the " + std::string(what) +
                            " at offset " + std::to_string(offset_));
  }

  std::span<const std::byte> file_;
  uint64_t offset_ = 0;
};

}  // namespace tern
