#include "engine/step/build_batch.h"

#include <catch2/catch.hpp>

using namespace tern;

namespace {

template <class T>
std::vector<T> list(std::span<const T> s) {
  return {s.begin(), s.end()};
}

}  // namespace

TEST_CASE("a plan becomes flat arrays", "[runtime][batch][EC-39]") {
  SchedulerConfig config;
  config.block_size = 4;
  config.max_num_seqs = 3;
  config.max_num_batched_tokens = 16;
  config.max_model_len = 32;
  Sequence decode, prefill;
  decode.token_ids = {10, 11, 12, 13, 14, 15};
  decode.num_computed_tokens = 5;
  decode.block_table = {7, 2};
  prefill.token_ids = {20, 21, 22, 23, 24, 25, 26, 27, 28, 29};
  prefill.num_computed_tokens = 3;
  prefill.block_table = {5, 9, 1, 8};  // the last is reserved, not reached
  StepPlan plan;
  plan.sequences = {{.sequence = &decode, .num_tokens = 1, .num_outputs = 1},
                    {.sequence = &prefill, .num_tokens = 6, .num_outputs = 2}};
  plan.num_tokens = 7;

  BatchBuilder builder(config);
  for (int round = 0; round < 2; ++round) {  // the arrays are reused
    const StepBatch b = builder.build(plan);
    CHECK(list(b.token_ids) == std::vector<int32_t>{15, 23, 24, 25, 26, 27, 28});
    CHECK(list(b.positions) == std::vector<int32_t>{5, 3, 4, 5, 6, 7, 8});
    CHECK(list(b.visible_end) == std::vector<int32_t>{6, 4, 5, 6, 7, 8, 9});
    CHECK(list(b.slot_mapping) ==
          std::vector<int64_t>{2 * 4 + 1, 5 * 4 + 3, 9 * 4, 9 * 4 + 1, 9 * 4 + 2, 9 * 4 + 3, 4});
    CHECK(list(b.cu_seqlens_q) == std::vector<int32_t>{0, 1, 7});
    CHECK(list(b.context_lens) == std::vector<int32_t>{6, 9});
    CHECK(list(b.logits_rows) == std::vector<int32_t>{0, 5, 6});
    REQUIRE(b.block_table.rows == 2);
    REQUIRE(b.block_table.cols == 3);
    CHECK(std::vector<int32_t>(b.block_table.row(0), b.block_table.row(0) + 3) ==
          std::vector<int32_t>{7, 2, 0});
    CHECK(std::vector<int32_t>(b.block_table.row(1), b.block_table.row(1) + 3) ==
          std::vector<int32_t>{5, 9, 1});
    CHECK(b.num_tokens() == 7);
    CHECK(b.num_seqs() == 2);
  }
  const StepBatch none = builder.build({});
  CHECK(none.num_tokens() == 0);
  CHECK(none.num_seqs() == 0);
}

TEST_CASE("slots of state come with their sequences, and copies in the plan's order",
          "[runtime][batch][EC-47]") {
  SchedulerConfig config;
  config.block_size = 4;
  config.max_num_seqs = 2;
  config.max_model_len = 32;
  Sequence seq;
  seq.token_ids = {10, 11};
  seq.block_table = {0};
  seq.state_slot = 3;
  StepPlan plan;
  plan.sequences = {{.sequence = &seq, .num_tokens = 2, .num_outputs = 1}};
  CHECK(BatchBuilder(config).build(plan).state_slots.empty());
  config.num_state_slots = 4;
  plan.slot_copies = {{0, 3}, {2, 0}};
  BatchBuilder builder(config);
  for (int round = 0; round < 2; ++round) {
    const StepBatch b = builder.build(plan);
    CHECK(list(b.state_slots) == std::vector<int32_t>{3});
    CHECK(list(b.slot_copies_from) == std::vector<int32_t>{0, 2});
    CHECK(list(b.slot_copies_to) == std::vector<int32_t>{3, 0});
  }
}

TEST_CASE("drafts are rows behind the known tokens", "[runtime][batch][EC-39]") {
  SchedulerConfig config;
  config.block_size = 4;
  config.max_num_seqs = 2;
  config.max_num_batched_tokens = 16;
  config.max_model_len = 32;
  Sequence drafting, plain;
  drafting.token_ids = {10, 11, 12};
  drafting.num_computed_tokens = 2;
  drafting.block_table = {3, 6};
  drafting.demand.draft_token_ids = {50, 51, 52, 53};  // the plan has room for three
  plain.token_ids = {20, 21};
  plain.num_computed_tokens = 1;
  plain.block_table = {1};
  StepPlan plan;
  plan.sequences = {{.sequence = &drafting, .num_tokens = 4, .num_draft = 3, .num_outputs = 4},
                    {.sequence = &plain, .num_tokens = 1, .num_outputs = 0}};
  BatchBuilder builder(config);
  const StepBatch b = builder.build(plan);
  CHECK(list(b.token_ids) == std::vector<int32_t>{12, 50, 51, 52, 21});
  CHECK(list(b.positions) == std::vector<int32_t>{2, 3, 4, 5, 1});
  CHECK(list(b.visible_end) == std::vector<int32_t>{3, 4, 5, 6, 2});
  CHECK(list(b.slot_mapping) ==
        std::vector<int64_t>{3 * 4 + 2, 3 * 4 + 3, 6 * 4, 6 * 4 + 1, 1 * 4 + 1});
  CHECK(list(b.cu_seqlens_q) == std::vector<int32_t>{0, 4, 5});
  CHECK(list(b.context_lens) == std::vector<int32_t>{6, 2});
  CHECK(list(b.logits_rows) == std::vector<int32_t>{0, 1, 2, 3});
}
