#include "engine/step/step_passes.h"

#include <catch2/catch.hpp>

#include "base/rng.h"

using namespace tern;

TEST_CASE("passes cover a step in order, and ask for no more rows than there are",
          "[runtime][passes]") {
  for (uint64_t trial = 0; trial < 2000; ++trial) {
    uint64_t position = 0;
    const auto pick = [&](int32_t limit) {
      return int32_t(random_bits(trial, RngStream::kTest, position++) % uint64_t(limit));
    };
    SchedulerConfig config;
    config.max_num_seqs = 1 + pick(6);
    StepPasses passes(config);
    std::vector<Sequence> sequences(1 + pick(config.max_num_seqs));
    StepPlan plan;
    std::vector<int32_t> first_logits;
    int64_t total_rows = 0;
    for (Sequence& seq : sequences) {
      seq.num_computed_tokens = pick(20);
      plan.sequences.push_back({&seq, 1 + pick(20)});
      const int32_t end = seq.num_computed_tokens + plan.sequences.back().num_tokens;
      first_logits.push_back(trial % 3 == 0 ? end - pick(2) : pick(45));
      total_rows += std::max(0, end - std::max(first_logits.back(), seq.num_computed_tokens));
    }
    std::vector<int32_t> reached;
    for (const Sequence& seq : sequences) reached.push_back(seq.num_computed_tokens);
    passes.start(plan, first_logits);
    int num_passes = 0;
    while (passes.next()) {
      ++num_passes;
      REQUIRE(passes.slices().size() == passes.plan_indices().size());
      int32_t rows = 0;
      for (size_t k = 0; k < passes.slices().size(); ++k) {
        const BatchSlice& slice = passes.slices()[k];
        const int32_t i = passes.plan_indices()[k];
        REQUIRE(slice.sequence == &sequences[i]);
        REQUIRE(slice.begin == reached[i]);
        REQUIRE(slice.end > slice.begin);
        REQUIRE(slice.num_logits_rows ==
                slice.end - std::clamp(first_logits[i], slice.begin, slice.end));
        reached[i] = slice.end;
        rows += slice.num_logits_rows;
      }
      REQUIRE(rows <= config.max_num_seqs);
    }
    for (size_t i = 0; i < sequences.size(); ++i)
      REQUIRE(reached[i] == sequences[i].num_computed_tokens + plan.sequences[i].num_tokens);
    REQUIRE(num_passes <=
            std::max<int64_t>(1, (total_rows + config.max_num_seqs - 1) / config.max_num_seqs) + 1);
    if (total_rows <= config.max_num_seqs) REQUIRE(num_passes == 1);
  }
}
