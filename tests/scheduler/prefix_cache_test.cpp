#include "scheduler/prefix_cache.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <list>
#include <map>
#include <random>
#include <set>
#include <string>

#include "base/sha256.h"

namespace tern {
namespace {

using Tokens = std::vector<int32_t>;

// Expected digests: `sha256sum` of the bytes written out by hand: tag, length (8 bytes, little
// endian), then the salt, or the parent and the ids (4 bytes each, little endian).
TEST_CASE("the hash is that of the documented bytes", "[prefix_cache]") {
  PrefixHasher hasher;
  const Sha256 root = hasher.root("ab");
  CHECK(to_hex(root) == "2e54ebf4994625f9043fc9a7c6d3f46ea2f326bc08b711c0d5dbd4223edc29a8");
  CHECK(to_hex(hasher.block(root, Tokens{1, 258})) ==
        "9b0988b36277f665d095e902a3b889963f31297e09faef2a78f8308d51c97c8c");
}

TEST_CASE("salts, parents and token counts never run into each other", "[prefix_cache]") {
  PrefixHasher hasher;
  const Sha256 root = hasher.root("");
  const Sha256 other = hasher.root(std::string(1, '\0'));
  std::set<Sha256> seen{root, other, hasher.root("a"), hasher.root("aa")};
  for (const Sha256& parent : {root, other}) {
    for (const Tokens& ids : {Tokens{}, Tokens{0}, Tokens{0, 0}, Tokens{1}, Tokens{256}}) {
      seen.insert(hasher.block(parent, ids));
    }
  }
  const Sha256 first = hasher.block(root, Tokens{0});
  seen.insert(hasher.block(first, Tokens{0}));
  // A salt with the bytes of a block's input is still no block.
  const std::string parent_bytes(root.begin(), root.end());
  seen.insert(hasher.root(parent_bytes + std::string(4, '\0')));
  CHECK(seen.size() == 4 + 10 + 2);
  CHECK(hasher.block(root, Tokens{0}) == first);
}

// Against an obvious model: a map and a list.
TEST_CASE("random operations agree with a map and a list", "[prefix_cache]") {
  constexpr int32_t kBlocks = 37;
  PrefixHasher hasher;
  std::vector<Sha256> hashes;
  for (int32_t i = 0; i < 60; ++i) hashes.push_back(hasher.block({}, Tokens{i}));
  PrefixCache cache(kBlocks);
  std::map<Sha256, int32_t> published;
  std::map<int32_t, Sha256> hash_of;
  std::list<int32_t> idle;  // oldest first
  std::mt19937 rng(1);
  const auto is_idle = [&](int32_t b) { return std::count(idle.begin(), idle.end(), b) > 0; };

  for (int i = 0; i < 20000; ++i) {
    const int32_t block = static_cast<int32_t>(rng() % kBlocks);
    const Sha256& hash = hashes[rng() % hashes.size()];
    if (!hash_of.contains(block)) {
      const bool is_new = !published.contains(hash);
      REQUIRE(cache.publish(block, hash) == is_new);
      if (is_new) {
        published[hash] = block;
        hash_of[block] = hash;
      }
    } else if (is_idle(block)) {
      cache.reuse(block);
      idle.remove(block);
    } else {
      cache.make_idle(block);
      idle.push_back(block);
    }
    if (!idle.empty() && rng() % 4 == 0) {
      const int32_t victim = cache.evict();
      REQUIRE(victim == idle.front());
      idle.pop_front();
      published.erase(hash_of.at(victim));
      hash_of.erase(victim);
    }
    REQUIRE(cache.num_idle() == static_cast<int32_t>(idle.size()));
    const Sha256& probe = hashes[rng() % hashes.size()];
    REQUIRE(cache.find(probe) == (published.contains(probe) ? published[probe] : kNoBlock));
    if (i % 64 == 0) cache.check_invariants();
  }
}

}  // namespace
}  // namespace tern
