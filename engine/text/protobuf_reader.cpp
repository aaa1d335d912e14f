#include "engine/text/protobuf_reader.h"

namespace tern {

Status ProtobufReader::broken(std::string_view what) const {
  return invalid_argument("broken protobuf at byte " + std::to_string(size_ - rest_.size()) +
                          " of a message: " + std::string(what));
}

Result<uint64_t> ProtobufReader::varint() {
  uint64_t value = 0;
  for (size_t i = 0; i < 10 && i < rest_.size(); ++i) {
    const auto byte = static_cast<uint8_t>(rest_[i]);
    value |= uint64_t(byte & 0x7f) << (7 * i);
    if (byte & 0x80) continue;
    rest_.remove_prefix(i + 1);
    return value;
  }
  return broken("a number has no end");
}

Result<uint64_t> ProtobufReader::fixed(size_t num_bytes) {
  if (rest_.size() < num_bytes) return broken("it ends within a number");
  uint64_t value = 0;
  for (size_t i = num_bytes; i-- > 0;) value = value << 8 | static_cast<uint8_t>(rest_[i]);
  rest_.remove_prefix(num_bytes);
  return value;
}

Result<ProtobufField> ProtobufReader::next() {
  enum : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  TERN_ASSIGN(const uint64_t tag, varint());
  ProtobufField field{.number = uint32_t(tag >> 3)};
  if (tag >> 3 == 0 || tag >> 3 > UINT32_MAX) return broken("a field has no number");
  switch (tag & 7) {
    case kVarint: {
      TERN_ASSIGN(field.integer, varint());
      return field;
    }
    case kFixed64: {
      TERN_ASSIGN(field.integer, fixed(8));
      return field;
    }
    case kFixed32: {
      TERN_ASSIGN(field.integer, fixed(4));
      return field;
    }
    case kBytes: {
      TERN_ASSIGN(const uint64_t size, varint());
      if (size > rest_.size()) return broken("a field ends behind the message");
      field.bytes = rest_.substr(0, size);
      rest_.remove_prefix(size);
      return field;
    }
    default:
      return broken("wire type " + std::to_string(tag & 7));
  }
}

}  // namespace tern
