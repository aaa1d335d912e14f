#include "scheduler/block_manager.h"

#include <catch2/catch.hpp>
#include <set>

namespace tern {
namespace {

Sha256 hash_of(int32_t value) {
  return PrefixHasher().block({}, std::span(&value, 1));
}

TEST_CASE("blocks are handed out once and come back", "[block_manager]") {
  BlockManager blocks(3);
  const std::set<int32_t> ids{blocks.allocate(), blocks.allocate(), blocks.allocate()};
  CHECK(ids == std::set<int32_t>{0, 1, 2});
  CHECK(blocks.num_available() == 0);
  CHECK(blocks.num_used() == 3);
  blocks.check_invariants(std::vector<int32_t>{1, 1, 1});
  blocks.free(1);
  CHECK(blocks.num_free() == 1);
  CHECK(blocks.allocate() == 1);
}

TEST_CASE("a shared block stays used until its last reference is gone", "[block_manager]") {
  BlockManager blocks(2);
  const int32_t block = blocks.allocate();
  blocks.share(block);
  blocks.check_invariants(std::vector<int32_t>{2, 0});
  blocks.free(block);
  CHECK(blocks.num_used() == 1);
  blocks.free(block);
  CHECK(blocks.num_free() == 2);
}

TEST_CASE("a published block becomes cached, is found and shared again", "[block_manager]") {
  BlockManager blocks(2);
  const int32_t block = blocks.allocate();
  blocks.publish(block, hash_of(1));
  blocks.free(block);
  CHECK(blocks.num_cached() == 1);
  CHECK(blocks.is_cached(block));
  CHECK(blocks.find(hash_of(1)) == block);
  CHECK(blocks.find(hash_of(2)) == kNoBlock);
  blocks.share(block);
  CHECK(blocks.num_used() == 1);
  CHECK_FALSE(blocks.is_cached(block));
  blocks.check_invariants(std::vector<int32_t>{1, 0});
}

TEST_CASE("free blocks go before cached ones, cached ones in the order they were freed",
          "[block_manager]") {
  BlockManager blocks(4);
  for (int32_t i = 0; i < 3; ++i) blocks.publish(blocks.allocate(), hash_of(i));
  for (const int32_t block : {2, 0, 1}) blocks.free(block);
  CHECK(blocks.allocate() == 3);
  CHECK(blocks.num_evicted() == 0);
  blocks.share(2);  // used again, and freed last: now the most recently used
  blocks.free(2);
  CHECK(blocks.allocate() == 0);
  CHECK(blocks.find(hash_of(0)) == kNoBlock);
  CHECK(blocks.allocate() == 1);
  CHECK(blocks.find(hash_of(2)) == 2);
  CHECK(blocks.allocate() == 2);
  CHECK(blocks.find(hash_of(2)) == kNoBlock);
  CHECK(blocks.num_evicted() == 3);
  blocks.check_invariants(std::vector<int32_t>{1, 1, 1, 1});
}

TEST_CASE("of two blocks with one content the second stays private", "[block_manager]") {
  BlockManager blocks(2);
  blocks.publish(blocks.allocate(), hash_of(1));
  blocks.publish(blocks.allocate(), hash_of(1));
  CHECK(blocks.find(hash_of(1)) == 0);
  blocks.free(1);
  CHECK(blocks.num_free() == 1);
  blocks.free(0);
  CHECK(blocks.num_cached() == 1);
}

TEST_CASE("dropping the cache leaves used blocks findable", "[block_manager]") {
  BlockManager blocks(3);
  for (int32_t i = 0; i < 3; ++i) blocks.publish(blocks.allocate(), hash_of(i));
  blocks.free(0);
  blocks.free(2);
  CHECK(blocks.drop_cached() == 2);
  CHECK(blocks.num_free() == 2);
  CHECK(blocks.num_evicted() == 0);
  CHECK(blocks.find(hash_of(0)) == kNoBlock);
  CHECK(blocks.find(hash_of(1)) == 1);
  blocks.check_invariants(std::vector<int32_t>{0, 1, 0});
}

}  // namespace
}  // namespace tern
