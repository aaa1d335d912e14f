#include "engine/decode/row_sampler.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "base/rng.h"
#include "engine/decode/constraint.h"
#include "engine/decode/decode_strategy.h"
#include "engine/decode/token_mask.h"
#include "tests/engine/decode/hostile_rows.h"

using namespace tern;

namespace {

constexpr int32_t kVocab = 3000;
constexpr int32_t kRows = 37;

std::vector<float> make_logits() {
  std::vector<float> logits(size_t(kRows) * kVocab);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = 3 * normal_noise(8, i);
  return logits;
}

MatView<const float> rows_of(const std::vector<float>& logits) {
  return {logits.data(), int64_t(logits.size()) / kVocab, kVocab, kVocab};
}

std::vector<SamplingParams> make_params() {
  std::vector<SamplingParams> params(kRows);
  for (int i = 0; i < kRows; ++i) {
    SamplingParams& p = params[i];
    p.seed = uint64_t(i);
    p.temperature = i % 5 == 0 ? 0.0f : 0.5f + 0.1f * float(i % 7);
    if (i % 2) p.top_p = 0.9f;
    if (i % 3 == 1) p.top_k = 40;
    if (i % 4 == 1) p.min_p = 0.01f;
    if (i % 7 == 2) p.allowed_token_ids = {1, 2, 3, 500, 2999};
  }
  return params;
}

bool same(const TokenLogprobs& a, const TokenLogprobs& b) {
  const auto equal = [](const TokenLogprob& x, const TokenLogprob& y) {
    return x.token_id == y.token_id && x.logprob == y.logprob && x.rank == y.rank;
  };
  return equal(a.chosen, b.chosen) &&
         std::equal(a.top.begin(), a.top.end(), b.top.begin(), b.top.end(), equal);
}

}  // namespace

TEST_CASE("a step's output has the same bits on any number of threads, and as each row alone",
          "[decode][row_sampler][EC-43]") {
  std::vector<float> logits = make_logits();
  logits[11 * kVocab + 5] = std::nanf("");  // one row has a fault
  const std::vector<SamplingParams> params = make_params();
  std::vector<RowRequest> requests;
  for (int32_t i = 0; i < kRows; ++i) {
    requests.push_back({.row = (i * 5) % kRows, .params = &params[i], .history = {.position = 3}});
    if (i % 3 == 0) requests.back().num_logprobs = 4;
    if (i % 6 == 5) requests.push_back({.row = i, .known_token_id = i, .num_logprobs = 2});
  }
  StepOutput expected;
  RowSampler alone(kVocab, Isa::kScalar, nullptr);
  for (const RowRequest& request : requests) {
    StepOutput one;
    alone.sample(rows_of(logits), {&request, 1}, one);
    expected.statuses.push_back(one.statuses[0]);
    expected.token_ids.push_back(one.token_ids[0]);
    expected.logprobs.push_back(one.logprobs[0]);
  }
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const Isa isa : runnable_isas()) {
      RowSampler sampler(kVocab, isa, &pool);
      StepOutput output;
      for (int again = 0; again < 3; ++again) {
        sampler.sample(rows_of(logits), requests, output);
        CAPTURE(threads, isa_name(isa));
        REQUIRE(output.token_ids.size() == requests.size());
        for (size_t i = 0; i < requests.size(); ++i) {
          CAPTURE(i, requests[i].row);
          REQUIRE(output.statuses[i].ok() == (requests[i].row != 11));
          REQUIRE(output.statuses[i].ok() == expected.statuses[i].ok());
          if (!output.statuses[i].ok()) continue;
          REQUIRE(output.token_ids[i] == expected.token_ids[i]);
          if (requests[i].num_logprobs >= 0)
            REQUIRE(same(output.logprobs[i], expected.logprobs[i]));
        }
      }
    }
  }
}

TEST_CASE("drafts count as if they were the answer's", "[decode][row_sampler]") {
  const std::vector<float> logits = make_logits();
  const std::vector<int32_t> prompt{4, 9}, output{7, 8, 7}, drafts{8, 2000, 2000, 4};
  std::vector<int32_t> all = output;
  all.insert(all.end(), drafts.begin(), drafts.end());
  const auto count = [&](const std::vector<int32_t>& answer) {
    TokenCounts counts(32);
    counts.add_prompt(prompt);
    for (const int32_t id : answer) counts.add_output(id);
    return counts;
  };
  const TokenCounts some = count(output), of_all = count(all);
  SamplingParams p;
  p.presence_penalty = 1.5f, p.frequency_penalty = 0.8f, p.repetition_penalty = 1.4f;
  p.allowed_token_ids = {4, 7, 8, 9, 2000, 11};  // those that the penalties move, mostly
  p.bad_word_token_ids = {{7, 8, 2000, 2000, 4, 11}, {2000, 4, 9}, {3, 4, 8}};
  Sampler sampler(kVocab);
  for (int32_t row = 0; row < kRows; ++row) {
    for (p.seed = 0; p.seed < 20; ++p.seed) {
      const std::span<const float> of_row(logits.data() + size_t(row) * kVocab, kVocab);
      const int32_t expected =
          *sampler.sample(of_row, p, {.position = 7, .output_token_ids = all, .counts = &of_all});
      REQUIRE(expected != 11);  // each of these would complete a bad word
      REQUIRE(expected != 9);
      REQUIRE(*sampler.sample(of_row, p,
                              {.position = 7,
                               .output_token_ids = output,
                               .draft_token_ids = drafts,
                               .counts = &some}) == expected);
    }
  }
}

TEST_CASE("the bits of a mask hold like a list of allowed ids", "[decode][row_sampler]") {
  const std::vector<float> logits = make_logits();
  Sampler sampler(kVocab);
  for (const std::vector<int32_t>& ids :
       {std::vector<int32_t>{0}, {2999}, {31, 32, 33, 64, 2990}, {5, 700, 701, 2048}}) {
    std::vector<uint32_t> bits(mask_words(kVocab));
    for (const int32_t id : ids) allow(bits, id);
    SamplingParams by_bits, by_ids;
    by_ids.allowed_token_ids = ids;
    for (uint64_t position = 0; position < 50; ++position) {
      const std::span<const float> row(logits.data() + position % kRows * kVocab, kVocab);
      const int32_t token = *sampler.sample(row, by_bits, {.position = position, .allowed = bits});
      REQUIRE(allows(bits, token));
      REQUIRE(token == *sampler.sample(row, by_ids, {.position = position}));
    }
  }
  SamplingParams both;  // a request's own masks hold besides
  both.allowed_token_ids = {5, 6};
  std::vector<uint32_t> bits(mask_words(kVocab), ~0u);
  forbid(bits, 5);
  const std::span<const float> row(logits.data(), kVocab);
  for (uint64_t position = 0; position < 20; ++position)
    REQUIRE(*sampler.sample(row, both, {.position = position, .allowed = bits}) == 6);
  forbid(bits, 6);
  CHECK(sampler.sample(row, both, {.allowed = bits}).status().code() == Code::kInvalidArgument);
}

namespace {

/// Digits are the ids below 10: an even one, an odd one, and so on, never smaller than the last of
/// its kind but after a 8 or a 9.
class Alternating final : public Constraint {
 public:
  void fill(std::span<uint32_t> bits) override {
    std::fill(bits.begin(), bits.end(), 0u);
    const size_t count = accepted.size();
    const int32_t least = count >= 2 && accepted[count - 2] < 8 ? accepted[count - 2] : 0;
    for (int32_t id = 0; id < 10; ++id)
      if (id % 2 == int32_t(count % 2) && id >= least) allow(bits, id);
  }
  void accept(int32_t token_id) override { accepted.push_back(token_id); }
  void rollback(int32_t num_tokens) override {
    REQUIRE(size_t(num_tokens) <= accepted.size());
    accepted.resize(accepted.size() - size_t(num_tokens));
  }

  std::vector<int32_t> accepted;
};

/// Three drafts a step; those stay that the rows before them would have drawn.
class Drafting final : public DecodeStrategy {
 public:
  DecodeState start(const SamplingParams& params, std::span<const int32_t>) const override {
    DecodeState state;
    state.params = params;
    return state;
  }
  Result<Commit> commit(DecodeState& state, const SampledRows& rows) const override {
    Commit commit;
    for (size_t i = 0; i < rows.token_ids.size(); ++i) {
      TERN_TRY(rows.statuses[i]);
      commit.token_ids.push_back(rows.token_ids[i]);
      state.constraint->accept(rows.token_ids[i]);
      ++state.num_output_tokens;
      if (i < rows.draft_token_ids.size() && rows.draft_token_ids[i] != rows.token_ids[i]) break;
    }
    commit.num_rejected = int32_t(rows.token_ids.size() - commit.token_ids.size());
    return commit;
  }
};

/// Tokens of an answer that begins after `prompt`, the logits of a row a function of its position.
std::vector<int32_t> answer(bool with_drafts, int32_t length, int& num_stayed) {
  const std::vector<float> logits = make_logits();
  SamplingParams params;
  params.temperature = 2;
  params.seed = 5;
  const Drafting drafting;
  const auto plain = make_autoregressive(nullptr, {});
  const DecodeStrategy& strategy =
      with_drafts ? static_cast<const DecodeStrategy&>(drafting) : *plain;
  params.max_tokens = length + 10;
  DecodeState state = strategy.start(params, {});
  state.constraint = std::make_unique<Alternating>();
  RowSampler sampler(kVocab, cpu_info().default_isa, nullptr);
  std::vector<int32_t> tokens;
  while (int32_t(tokens.size()) < length) {
    // Digits of the right kind, of which a good part is right.
    std::vector<int32_t> drafts;
    for (size_t i = 0; with_drafts && i < 3; ++i) {
      const int32_t kind = int32_t((tokens.size() + i) % 2);
      drafts.push_back(kind + 2 * int32_t(random_bits(1, RngStream::kTest, tokens.size() + i) % 5));
    }
    const auto num_rows = int32_t(drafts.size()) + 1;
    std::vector<float> rows;
    for (int32_t i = 0; i < num_rows; ++i) {
      const size_t at = (tokens.size() + size_t(i)) % kRows * kVocab;
      rows.insert(rows.end(), logits.begin() + int64_t(at), logits.begin() + int64_t(at) + kVocab);
    }
    std::vector<RowRequest> requests;
    strategy.request_rows(state,
                          {.output_token_ids = tokens,
                           .draft_token_ids = drafts,
                           .first_row = 0,
                           .num_rows = num_rows,
                           .vocab_size = kVocab},
                          requests);
    StepOutput output;
    sampler.sample(rows_of(rows), requests, output);
    const Result<Commit> commit = strategy.commit(state, {.output_token_ids = tokens,
                                                          .draft_token_ids = drafts,
                                                          .statuses = output.statuses,
                                                          .token_ids = output.token_ids,
                                                          .logprobs = output.logprobs});
    REQUIRE(commit.ok());
    num_stayed += int32_t(commit->token_ids.size()) - 1;
    tokens.insert(tokens.end(), commit->token_ids.begin(), commit->token_ids.end());
    REQUIRE(static_cast<Alternating&>(*state.constraint).accepted == tokens);
  }
  tokens.resize(size_t(length));
  return tokens;
}

}  // namespace

TEST_CASE("a constraint holds, and drafts that do not stay are rolled back",
          "[decode][row_sampler][EC-44]") {
  int num_stayed = 0, none = 0;
  const std::vector<int32_t> alone = answer(false, 300, none);
  Alternating constraint;
  std::vector<uint32_t> bits(mask_words(kVocab));
  for (const int32_t token : alone) {
    constraint.fill(bits);
    REQUIRE(allows(bits, token));
    constraint.accept(token);
  }
  CHECK(answer(true, 300, num_stayed) == alone);
  CHECK(num_stayed > 20);  // some drafts were right
}
