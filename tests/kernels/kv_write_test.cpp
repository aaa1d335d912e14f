#include <catch2/catch.hpp>

#include "kernels/formats/kv_panels.h"
#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

void check(int64_t rows, int64_t num_kv_heads, int64_t head_dim, int64_t block_size) {
  const int64_t num_blocks = ceil_div(rows, block_size) + 2, num_slots = num_blocks * block_size;
  const int64_t cols = num_kv_heads * head_dim, size = num_slots * cols;
  GuardMatrix k(rows, cols, 3), v(rows, cols, 1);
  k.fill(Values::kOutliers, 1).make_read_only();
  v.fill(Values::kOutliers, 2).make_read_only();
  GuardBuffer<int64_t> slots(rows);  // distinct: 11 is prime to the number of slots
  for (int64_t t = 0; t < rows; ++t) slots[t] = (num_slots - 1 + t * 11) % num_slots;

  GuardMatrix expected_keys(1, size), expected_values(1, size), keys(1, size), values(1, size);
  const auto bytes = [](GuardMatrix& m) { return reinterpret_cast<std::byte*>(m.view().data); };
  KvLayerView kv{.format = &kKvPanels,
                 .keys = bytes(expected_keys),
                 .values = bytes(expected_values),
                 .num_blocks = num_blocks,
                 .block_size = block_size,
                 .num_kv_heads = num_kv_heads,
                 .head_dim = head_dim};
  kv_write_ref({.k = k.read(), .v = v.read(), .slot_mapping = slots.data(), .kv = kv}, {});
  kv.keys = bytes(keys), kv.values = bytes(values);
  for (const TestedKernel<KvWrite>& kernel : tested_kernels(kernels().kv_write))
    for (ThreadPool* pool :
         {static_cast<ThreadPool*>(nullptr), pools()[0].get(), pools()[1].get()}) {
      CAPTURE(kernel.name, rows, num_kv_heads, head_dim, block_size, num_threads(pool));
      keys.poison();
      values.poison();
      kernel.run({.k = k.read(), .v = v.read(), .slot_mapping = slots.data(), .kv = kv},
                 on_pool(pool));
      // Untouched slots are compared too: they stay as poisoned in both.
      REQUIRE(first_difference(keys.read(), expected_keys.read()) == "");
      REQUIRE(first_difference(values.read(), expected_values.read()) == "");
      REQUIRE(keys.intact());
      REQUIRE(values.intact());
    }
}

}  // namespace

TEST_CASE("every kv_write kernel equals the reference", "[kv_write]") {
  for (const int64_t rows : {0, 1, 5, 70})
    for (const auto& [heads, head_dim] : std::initializer_list<std::pair<int, int>>{
             {1, 1}, {2, 15}, {3, 16}, {1, 17}, {2, 64}, {4, 80}})
      for (const int64_t block_size : {16, 32, 64}) check(rows, heads, head_dim, block_size);
}

TEST_CASE("the views of keys and values name each element once", "[kv_write]") {
  const KvPanels kv{nullptr, nullptr, 32, 2, 5};
  std::vector<int> keys(3 * kv.block_stride()), values(keys.size());
  for (int64_t slot = 0; slot < 96; ++slot)
    for (int64_t head = 0; head < 2; ++head)
      for (int64_t d = 0; d < 5; ++d) {
        ++keys.at(kv.key(slot, head) - kv.keys + d * kKvLanes);
        ++values.at(kv.value(slot, head) - kv.values + d);
      }
  CHECK(keys == std::vector<int>(keys.size(), 1));
  CHECK(values == keys);
}
