// One answer, token by token: what is told of each token, what the text shows, and where it ends.
#include <catch2/catch.hpp>
#include <numeric>

#include "engine/decode/decode_strategy.h"

using namespace tern;

namespace {

constexpr int32_t kEos = 0, kMark = 1, kFirstWord = 2;  // the first two are special

class WordTokenizer final : public Tokenizer {
 public:
  explicit WordTokenizer(std::vector<std::string> words) : pieces_{"<eos>", "<mark>"} {
    pieces_.insert(pieces_.end(), words.begin(), words.end());
  }
  Result<std::vector<int32_t>> encode(std::string_view, const EncodeOptions&) const override {
    return Status(Code::kUnimplemented, "");
  }
  std::string_view token_bytes(int32_t id) const override { return pieces_.at(size_t(id)); }
  std::string_view token_piece(int32_t id) const override { return token_bytes(id); }
  bool is_special(int32_t id) const override { return id < kFirstWord; }
  std::optional<int32_t> token_id(std::string_view) const override { return {}; }
  int32_t vocab_size() const override { return int32_t(pieces_.size()); }

 private:
  std::vector<std::string> pieces_;
};

struct Told {
  std::string text;
  std::vector<int32_t> token_ids, logprob_ids;
  std::optional<FinishReason> reason;
  std::string stop;
  int32_t stop_token = -1;
};

// What a step of one row gives.
Result<Commit> one_step(const DecodeStrategy& strategy, DecodeState& state,
                        const std::vector<int32_t>& output, MatView<const float> logits,
                        RowSampler& sampler) {
  std::vector<RowRequest> requests;
  strategy.request_rows(state,
                        {.output_token_ids = output,
                         .draft_token_ids = {},
                         .first_row = 0,
                         .num_rows = 1,
                         .vocab_size = int32_t(logits.cols)},
                        requests);
  StepOutput out;
  sampler.sample(logits, requests, out);
  return strategy.commit(state, {.output_token_ids = output,
                                 .draft_token_ids = {},
                                 .statuses = out.statuses,
                                 .token_ids = out.token_ids,
                                 .logprobs = out.logprobs});
}

// The answer to a model that wants `words` one after the other, and then the end of sequence. The
// next best is always <mark>: it comes where the end is masked.
Told answer(const std::vector<std::string>& words, SamplingParams params,
            std::vector<int32_t> wanted = {}) {
  const WordTokenizer tokenizer(words);
  const auto strategy = make_autoregressive(&tokenizer, {kEos});
  if (wanted.empty()) {
    wanted.resize(words.size());
    std::iota(wanted.begin(), wanted.end(), kFirstWord);
  }
  params.temperature = 0;
  params.logprobs = 0;
  if (params.max_tokens == 0) params.max_tokens = 50;
  DecodeState state = strategy->start(params, {});
  RowSampler sampler(tokenizer.vocab_size(), cpu_info().default_isa, nullptr);
  Told told;
  std::string lengths;
  while (!told.reason) {
    const size_t position = told.token_ids.size();
    std::vector<float> logits(size_t(tokenizer.vocab_size()), 0.0f);
    logits[kMark] = 5;
    logits[size_t(position < wanted.size() ? wanted[position] : kEos)] = 10;
    const int64_t vocab_size = int64_t(logits.size());
    const Result<Commit> commit = one_step(*strategy, state, told.token_ids,
                                           {logits.data(), 1, vocab_size, vocab_size}, sampler);
    REQUIRE(commit.ok());
    told.text += commit->text;
    told.token_ids.insert(told.token_ids.end(), commit->token_ids.begin(), commit->token_ids.end());
    for (const TokenLogprobs& token : commit->logprobs)
      told.logprob_ids.push_back(token.chosen.token_id);
    if (!commit->finished) continue;
    told.reason = commit->reason;
    told.stop_token = commit->stop_token;
  }
  told.stop = state.stop.matched().value_or("");
  CHECK(told.logprob_ids == told.token_ids);
  return told;
}

Told answer_with_stop(const std::vector<std::string>& words, std::vector<std::string> stop,
                      int32_t min_tokens, bool include = false) {
  SamplingParams params;
  params.stop = std::move(stop);
  params.min_tokens = min_tokens;
  params.include_stop_str_in_output = include;
  return answer(words, params);
}

const std::vector<std::string> kSpider{"A", " spider", " has", " eight", " legs", "."};

}  // namespace

TEST_CASE("the token that ended an answer is told, and not shown",
          "[decode][autoregressive][EC-34]") {
  const bool skip = GENERATE(true, false), include = GENERATE(true, false);
  CAPTURE(skip, include);
  SamplingParams params;
  params.skip_special_tokens = skip;
  params.include_stop_str_in_output = include;

  const Told eos = answer(kSpider, params);
  CHECK(eos.token_ids == std::vector<int32_t>{2, 3, 4, 5, 6, 7, kEos});
  CHECK(eos.text == std::string("A spider has eight legs.") + (include && !skip ? "<eos>" : ""));
  CHECK(eos.reason == FinishReason::kEos);
  CHECK(eos.stop_token == kEos);

  params.stop_token_ids = {6};
  const Told word = answer(kSpider, params);
  CHECK(word.token_ids == std::vector<int32_t>{2, 3, 4, 5, 6});
  CHECK(word.text == std::string("A spider has eight") + (include ? " legs" : ""));
  CHECK(word.reason == FinishReason::kStopToken);
  CHECK(word.stop_token == 6);

  params.stop_token_ids = {kMark};
  const Told special = answer(kSpider, params, {2, kMark, 3});
  CHECK(special.token_ids == std::vector<int32_t>{2, kMark});
  CHECK(special.text == std::string("A") + (include && !skip ? "<mark>" : ""));

  params.stop_token_ids = {};
  params.ignore_eos = true;
  params.max_tokens = 4;
  const Told ignored = answer(kSpider, params, {2, kEos, 3});
  CHECK(ignored.token_ids == std::vector<int32_t>{2, kEos, 3, kEos});
  CHECK(ignored.text == (skip ? "A spider" : "A<eos> spider<eos>"));
  CHECK(ignored.reason == FinishReason::kLength);
}

TEST_CASE("an answer whose last token is also max_tokens' has ended by itself",
          "[decode][autoregressive]") {
  SamplingParams params;
  params.max_tokens = 7;
  CHECK(answer(kSpider, params).reason == FinishReason::kEos);
  params.max_tokens = 6;
  const Told cut = answer(kSpider, params);
  CHECK(cut.reason == FinishReason::kLength);
  CHECK(cut.token_ids.size() == 6);
  params.stop = {"."};
  CHECK(answer(kSpider, params).reason == FinishReason::kStopString);
}

TEST_CASE("stop strings count behind min_tokens", "[decode][autoregressive]") {
  // " has" is the third token.
  const Told at_two = answer_with_stop(kSpider, {" has"}, 2);
  CHECK(at_two.text == "A spider");
  CHECK(at_two.reason == FinishReason::kStopString);
  CHECK(at_two.token_ids.size() == 3);
  for (const int32_t min_tokens : {3, 6}) {
    const Told later = answer_with_stop(kSpider, {" has"}, min_tokens);
    CHECK(later.text == "A spider has eight legs.");
    CHECK(later.reason == FinishReason::kEos);
    CHECK(later.token_ids.size() == 7);
  }
  // One that begins before and ends behind it counts, and cuts where it begins.
  const Told straddling = answer_with_stop(kSpider, {"has eight"}, 3);
  CHECK(straddling.text == "A spider ");
  CHECK(straddling.stop == "has eight");
  CHECK(straddling.token_ids.size() == 4);
  CHECK(answer_with_stop(kSpider, {"has eight"}, 3, true).text == "A spider has eight");
  CHECK(answer_with_stop(kSpider, {"has eight"}, 4).reason == FinishReason::kEos);
  // A match that did not count does not count later, though it was held back for another's sake.
  const Told held = answer_with_stop(kSpider, {" has", " has eight bells"}, 3);
  CHECK(held.text == "A spider has eight legs.");
  CHECK(held.reason == FinishReason::kEos);
  // The same string again does.
  CHECK(answer_with_stop({"a", "x", "b", "x", "c"}, {"x"}, 2).text == "axb");
}

TEST_CASE("min_tokens keeps tokens from ending an answer", "[decode][autoregressive]") {
  SamplingParams params;
  params.min_tokens = 3;
  params.stop_token_ids = {3};
  const Told told = answer({"a", "b"}, params);  // "b" is masked, and the end behind it
  CHECK(told.token_ids == std::vector<int32_t>{2, kMark, kMark, kEos});
  CHECK(told.reason == FinishReason::kEos);
  params.max_tokens = 3;
  CHECK(answer({"a", "b"}, params).reason == FinishReason::kLength);
}

TEST_CASE("stop strings in tokens that are parts of characters",
          "[decode][autoregressive][EC-31]") {
  const std::vector<std::string> euro{"5", "\xe2", "\x82", "\xac", " and"};
  CHECK(answer(euro, {}).text == "5€ and");
  const Told cut = answer_with_stop(euro, {"€"}, 0);
  CHECK(cut.text == "5");
  CHECK(cut.token_ids.size() == 4);
  CHECK(answer_with_stop(euro, {"€"}, 3).text == "5");  // whole with the fourth token
  CHECK(answer_with_stop(euro, {"€"}, 4).text == "5€ and");
  // A stop string in the middle of a token.
  const Told middle = answer_with_stop({"Hello", " world"}, {"o wo"}, 0);
  CHECK(middle.text == "Hell");
  CHECK(middle.token_ids.size() == 2);
  // An answer that ends within a character: what becomes of it can be the end as well.
  const std::vector<std::string> broken{"5", "\xe2"};
  CHECK(answer(broken, {}).text == "5\uFFFD");
  const Told replaced = answer_with_stop(broken, {"\uFFFD"}, 0);
  CHECK(replaced.text == "5");
  CHECK(replaced.reason == FinishReason::kStopString);
  CHECK(replaced.stop_token == -1);
}

TEST_CASE("a stop token whose text completes a stop string", "[decode][autoregressive]") {
  SamplingParams params;
  params.stop = {"eight legs"};
  params.stop_token_ids = {6};
  const Told hidden = answer(kSpider, params);
  CHECK(hidden.text == "A spider has eight");  // what was held back is shown
  CHECK(hidden.reason == FinishReason::kStopToken);
  params.include_stop_str_in_output = true;
  const Told shown = answer(kSpider, params);
  CHECK(shown.text == "A spider has eight legs");
  CHECK(shown.reason == FinishReason::kStopString);
}

TEST_CASE("special tokens give no text, but those that are shown do", "[decode][autoregressive]") {
  const auto tokenizer = parse_tokenizer_json(R"({"version": "1.0",
      "added_tokens": [{"id": 2, "content": "<tool_call>", "special": true},
                       {"id": 3, "content": "<other>", "special": true}],
      "decoder": {"type": "Fuse"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}})",
                                              "test");
  INFO(tokenizer.status().message());
  REQUIRE(tokenizer.ok());
  const auto strategy = make_autoregressive(tokenizer->get(), {});
  const auto answer = [&](SamplingParams params) {
    params.temperature = 0;
    params.max_tokens = 3;
    RowSampler sampler(4, cpu_info().default_isa, nullptr);
    DecodeState state = strategy->start(params, {});
    std::string text;
    for (const int32_t id : {2, 0, 3}) {
      std::vector<float> logits(4, 0.0f);
      logits[size_t(id)] = 1;
      const auto commit = one_step(*strategy, state, {}, {logits.data(), 1, 4, 4}, sampler);
      REQUIRE(commit.ok());
      text += commit->text;
    }
    return text;
  };
  CHECK(answer({}) == "a");
  SamplingParams shown;
  shown.shown_special_token_ids = {2};
  CHECK(answer(shown) == "<tool_call>a");
  shown.skip_special_tokens = false;
  CHECK(answer(shown) == "<tool_call>a<other>");
}
