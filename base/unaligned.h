// Reading values where a file has them.
#pragma once

#include <cstdint>
#include <cstring>

namespace tern {

/// Value `i` of an array of T that need not be aligned.
template <class T>
T load_unaligned(const void* array, int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(array) + i * int64_t(sizeof(T)), sizeof(T));
  return value;
}

}  // namespace tern
