#include "scheduler/prefix_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace tern {
namespace {

constexpr uint8_t kRootTag = 0;
constexpr uint8_t kBlockTag = 1;

}  // namespace

Sha256 PrefixHasher::root(std::string_view salt) {
  begin(kRootTag, salt.size());
  append(salt.data(), salt.size());
  return sha256(bytes_);
}

Sha256 PrefixHasher::block(const Sha256& parent, std::span<const int32_t> token_ids) {
  begin(kBlockTag, token_ids.size());
  append(parent.data(), parent.size());
  append(token_ids.data(), token_ids.size_bytes());
  return sha256(bytes_);
}

void PrefixHasher::begin(uint8_t tag, uint64_t length) {
  bytes_.clear();
  append(&tag, sizeof(tag));
  append(&length, sizeof(length));
}

void PrefixHasher::append(const void* data, size_t size) {
  const size_t begin = bytes_.size();
  bytes_.resize(begin + size);
  std::copy_n(static_cast<const std::byte*>(data), size, bytes_.data() + begin);
}

PrefixCache::PrefixCache(int32_t num_blocks)
    : buckets_(std::bit_ceil(static_cast<uint32_t>(num_blocks)), kNoBlock),
      next_in_chain_(num_blocks, kNoBlock),
      hashes_(num_blocks),
      is_published_(num_blocks, false),
      older_(num_blocks + 1, kNoBlock),
      newer_(num_blocks + 1, kNoBlock) {
  older_[num_blocks] = newer_[num_blocks] = num_blocks;
}

size_t PrefixCache::bucket(const Sha256& hash) const {
  uint64_t word;
  std::memcpy(&word, hash.data(), sizeof(word));
  return word & (buckets_.size() - 1);
}

int32_t PrefixCache::find(const Sha256& hash) const {
  int32_t block = buckets_[bucket(hash)];
  while (block != kNoBlock && hashes_[block] != hash) block = next_in_chain_[block];
  return block;
}

bool PrefixCache::publish(int32_t block, const Sha256& hash) {
  TERN_CHECK(!is_published_[block], "a block holds one prefix");
  if (find(hash) != kNoBlock) return false;
  int32_t& first = buckets_[bucket(hash)];
  next_in_chain_[block] = first;
  first = block;
  hashes_[block] = hash;
  is_published_[block] = true;
  return true;
}

void PrefixCache::make_idle(int32_t block) {
  TERN_CHECK(is_published_[block] && !is_idle(block), "only a published block becomes idle, once");
  const int32_t head = static_cast<int32_t>(hashes_.size());
  const int32_t newest = older_[head];
  older_[block] = newest;
  newer_[block] = head;
  newer_[newest] = older_[head] = block;
  ++num_idle_;
}

void PrefixCache::reuse(int32_t block) {
  TERN_CHECK(is_idle(block), "only an idle block can be used again");
  newer_[older_[block]] = newer_[block];
  older_[newer_[block]] = older_[block];
  older_[block] = newer_[block] = kNoBlock;
  --num_idle_;
}

int32_t PrefixCache::evict() {
  TERN_CHECK(num_idle_ > 0, "no idle block to evict");
  const int32_t block = newer_[hashes_.size()];
  reuse(block);
  unlink(block);
  is_published_[block] = false;
  return block;
}

void PrefixCache::unlink(int32_t block) {
  int32_t* link = &buckets_[bucket(hashes_[block])];
  while (*link != block) link = &next_in_chain_[*link];
  *link = next_in_chain_[block];
  next_in_chain_[block] = kNoBlock;
}

void PrefixCache::check_invariants() const {
  const int32_t num_blocks = static_cast<int32_t>(hashes_.size());
  int32_t num_flagged = 0;
  for (int32_t block = 0; block < num_blocks; ++block) {
    num_flagged += is_idle(block);
    TERN_CHECK(is_idle(block) == (older_[block] != kNoBlock), "an idle block has two neighbours");
    TERN_CHECK(!is_idle(block) || is_published_[block], "an idle block is published");
    TERN_CHECK(!is_published_[block] || find(hashes_[block]) == block,
               "a published block is found by its hash");
  }
  TERN_CHECK(num_flagged == num_idle_, "as many idle blocks as counted");

  int32_t num_listed = 0;
  for (int32_t block = newer_[num_blocks]; block != num_blocks; block = newer_[block]) {
    TERN_CHECK(newer_[older_[block]] == block && ++num_listed <= num_idle_,
               "the idle blocks form one ring");
  }
  TERN_CHECK(num_listed == num_idle_, "the ring holds every idle block");

  int32_t num_chained = 0, num_published = 0;
  for (const uint8_t published : is_published_) num_published += published;
  for (const int32_t first : buckets_) {
    for (int32_t block = first; block != kNoBlock; block = next_in_chain_[block]) {
      TERN_CHECK(is_published_[block] && ++num_chained <= num_published,
                 "the hash table holds published blocks, each once");
    }
  }
  TERN_CHECK(num_chained == num_published, "the hash table holds every published block");
}

}  // namespace tern
