// The heap while rows are sampled: what the memory plan knows of, and nothing later.
#include <catch2/catch.hpp>

#include "engine/decode/row_sampler.h"
#include "tests/engine/decode/hostile_rows.h"
#include "tests/support/count_allocations.h"

using namespace tern;

TEST_CASE("sampling takes the memory that it says, at its start", "[decode][row_sampler][EC-22]") {
  for (const int32_t vocab_size : {5000, 128256}) {
    ThreadPool pool(3);
    const uint64_t before = test::allocated_bytes();
    RowSampler sampler(vocab_size, cpu_info().default_isa, &pool);
    CAPTURE(vocab_size);
    const uint64_t planned = RowSampler::scratch_bytes(vocab_size, 3);
    const uint64_t taken = test::allocated_bytes() - before;  // the pool's threads begin meanwhile
    CHECK(taken >= planned);
    CHECK(taken <= planned * 101 / 100);

    std::vector<float> logits(4 * size_t(vocab_size));
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = normal_noise(9, i);
    std::vector<SamplingParams> params(4);
    params[1].top_p = 0.9f;
    params[2].top_k = 40;
    params[3].min_p = 0.1f, params[3].allowed_token_ids = {0};
    std::vector<RowRequest> requests;
    for (int32_t i = 0; i < 4; ++i) requests.push_back({.row = i, .params = &params[size_t(i)]});
    const MatView<const float> rows{logits.data(), 4, vocab_size, vocab_size};
    StepOutput output;
    sampler.sample(rows, requests, output);
    const uint64_t num_first = test::num_allocations();
    for (int i = 0; i < 5; ++i) sampler.sample(rows, requests, output);
    CHECK(test::num_allocations() == num_first);
  }
}
