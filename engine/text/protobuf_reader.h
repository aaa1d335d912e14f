// The wire format of Protocol Buffers, read field by field: enough for files of known messages.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace tern {

/// One field of a message.
struct ProtobufField {
  uint32_t number = 0;
  uint64_t integer = 0;    ///< where it is a varint or of fixed width
  std::string_view bytes;  ///< where it is a string, bytes or a message

  float as_float() const { return std::bit_cast<float>(uint32_t(integer)); }
  int32_t as_int32() const { return int32_t(integer); }
};

/// Does not own the bytes.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view bytes) : rest_(bytes), size_(bytes.size()) {}

  bool done() const { return rest_.empty(); }

  /// The next field, where there is one. kInvalidArgument naming the offset where the bytes are no
  /// field or end within one.
  Result<ProtobufField> next();

 private:
  Result<uint64_t> varint();
  Result<uint64_t> fixed(size_t num_bytes);
  Status broken(std::string_view what) const;

  std::string_view rest_;
  size_t size_;
};

}  // namespace tern
