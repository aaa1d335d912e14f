// Slots of state: who has what memory, and what a copy takes with it.
#include "engine/cache/state_cache.h"

#include <catch2/catch.hpp>

using namespace tern;

namespace {

CacheLayout layout_of(std::initializer_list<size_t> bytes_per_seq) {
  CacheLayout layout;
  int32_t id = 0;
  for (const size_t bytes : bytes_per_seq) CHECK(layout.add(CacheLayout::Slot{bytes}) == id++);
  return layout;
}

}  // namespace

TEST_CASE("each layer has its part of each slot, aligned", "[cache][state]") {
  const CacheLayout layout = layout_of({4, 200, 64});
  CHECK(StateCache::bytes(layout, 3) == 3 * (64 + 256 + 64));
  const StateCache cache = *StateCache::create(layout, 3);
  float next = 0;
  for (int32_t id = 0; id < 3; ++id) {
    const MatView<float> view = cache.layer<float>(id);
    CHECK(view.rows == 3);
    CHECK(size_t(view.cols) == layout.slots[id].bytes_per_seq / 4);
    for (int64_t s = 0; s < 3; ++s) {
      CHECK(reinterpret_cast<uintptr_t>(view.row(s)) % 64 == 0);
      for (int64_t k = 0; k < view.cols; ++k) view.row(s)[k] = next++;
    }
  }
  // Nothing was written twice.
  next = 0;
  for (int32_t id = 0; id < 3; ++id)
    for (int64_t s = 0; s < 3; ++s)
      for (int64_t k = 0; k < cache.layer<float>(id).cols; ++k)
        CHECK(cache.layer<float>(id).row(s)[k] == next++);
}

TEST_CASE("a copy takes the parts of all layers, and touches no other slot",
          "[cache][state][EC-47]") {
  StateCache cache = *StateCache::create(layout_of({12, 68}), 4);
  for (int32_t id = 0; id < 2; ++id)
    for (int64_t s = 0; s < 4; ++s)
      std::fill_n(cache.layer<float>(id).row(s), cache.layer<float>(id).cols, float(10 * id + s));
  cache.copy(2, 0, nullptr);
  cache.copy(0, 3, nullptr);  // in order: what the first brought
  for (int32_t id = 0; id < 2; ++id) {
    const MatView<float> view = cache.layer<float>(id);
    for (const auto& [slot, from] : {std::pair(0, 2), {1, 1}, {2, 2}, {3, 2}})
      for (int64_t k = 0; k < view.cols; ++k) CHECK(view.row(slot)[k] == float(10 * id + from));
  }
}

TEST_CASE("a model without state has no memory for it", "[cache][state][EC-45]") {
  CacheLayout layout;
  layout.add(CacheLayout::Paged{2, 16});
  CHECK(layout.num_state_slots(64) == 0);
  CHECK(StateCache::bytes(layout, 128) == 0);
  StateCache cache = *StateCache::create(layout, 0);
  CHECK(cache.empty());
  CHECK(cache.buffer().size() == 0);
  layout.add(CacheLayout::Slot{8});
  CHECK(layout.num_state_slots(64) == 128);
}
