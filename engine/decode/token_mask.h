// Sets of tokens as bits: token i is bit i % 32 of word i / 32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tern {

/// Words of a set over a vocabulary.
constexpr size_t mask_words(int64_t vocab_size) {
  return size_t(vocab_size + 31) / 32;
}

constexpr bool allows(std::span<const uint32_t> mask, int32_t token_id) {
  return mask[size_t(token_id) / 32] >> (token_id % 32) & 1;
}
constexpr void allow(std::span<uint32_t> mask, int32_t token_id) {
  mask[size_t(token_id) / 32] |= 1u << (token_id % 32);
}
constexpr void forbid(std::span<uint32_t> mask, int32_t token_id) {
  mask[size_t(token_id) / 32] &= ~(1u << (token_id % 32));
}

}  // namespace tern
