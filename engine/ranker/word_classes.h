// Words that say the same of an answer's length: what a small training set cannot teach word by
// word.
#pragma once

#include <cstdint>

namespace tern {

/// FNV-1a over the bytes of a word, letters A to Z as a to z.
inline constexpr uint64_t kWordHashSeed = 0xcbf29ce484222325u;

constexpr char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? char(c + ('a' - 'A')) : c;
}
constexpr uint64_t add_to_word_hash(uint64_t hash, char c) {
  return (hash ^ uint8_t(lower_case(c))) * 0x100000001b3u;
}

inline constexpr int kNumWordClasses = 16;

/// The class, from 1 to kNumWordClasses, of the English word with this hash; 0 where it is in none.
/// Any thread.
int word_class(uint64_t word_hash);

}  // namespace tern
