// Which KV block holds which prefix, and in which order those that nobody uses are given up.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/sha256.h"

namespace tern {

constexpr int32_t kNoBlock = -1;

/// Names prefixes by SHA-256, so that no tenant can craft one that is taken for another's. All
/// input is length-prefixed and tagged by kind: different (salt, tokens) never give the same bytes
/// to hash.
class PrefixHasher {
 public:
  /// What the first block of a sequence has as its parent. Anything else that changes what a
  /// token's KV holds (adapter, rope factors) belongs into the salt.
  Sha256 root(std::string_view salt);

  /// A full block with these token ids that follows `parent`.
  Sha256 block(const Sha256& parent, std::span<const int32_t> token_ids);

 private:
  void begin(uint8_t tag, uint64_t length);
  void append(const void* data, size_t size);

  std::vector<std::byte> bytes_;  // reused, so that hashing does not allocate
};

/// A block is *published* once its hash is known here, and *idle* while it is published and nobody
/// refers to it. All operations are O(1) (expected, for those that take a hash), and none
/// allocates.
class PrefixCache {
 public:
  explicit PrefixCache(int32_t num_blocks);

  /// The published block with this hash, or kNoBlock.
  int32_t find(const Sha256& hash) const;

  /// Publishes a block in use. False where another block has this hash already: then nothing
  /// changes.
  bool publish(int32_t block, const Sha256& hash);
  bool is_published(int32_t block) const { return is_published_[block]; }

  /// A published block's last user is gone: it becomes the most recently used idle one.
  void make_idle(int32_t block);
  bool is_idle(int32_t block) const { return newer_[block] != kNoBlock; }
  int32_t num_idle() const { return num_idle_; }

  /// An idle block is used again.
  void reuse(int32_t block);

  /// Takes away the least recently used idle block and forgets its hash. There must be one.
  int32_t evict();

  /// Aborts where list, table and flags disagree. O(blocks).
  void check_invariants() const;

 private:
  size_t bucket(const Sha256& hash) const;
  void unlink(int32_t block);

  // Hash table with the blocks themselves as its nodes.
  std::vector<int32_t> buckets_;        // first block of each chain; a power of two of them
  std::vector<int32_t> next_in_chain_;  // [num_blocks]
  std::vector<Sha256> hashes_;          // [num_blocks], meaningful where published
  std::vector<uint8_t> is_published_;   // [num_blocks]

  // Ring of idle blocks through a head element at index num_blocks: newer_[head] is the oldest.
  std::vector<int32_t> older_, newer_;  // [num_blocks + 1], kNoBlock where not idle
  int32_t num_idle_ = 0;
};

}  // namespace tern
