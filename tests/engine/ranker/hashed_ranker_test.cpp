// Scoring: what a hashed ranker makes of any prompt, and of its curve.
#include "engine/ranker/hashed_ranker.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "base/rng.h"

using namespace tern;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

LengthCurve curve(std::vector<LengthKnot> knots = {{-1, 10}, {0, 20}, {1, 100}}) {
  return *LengthCurve::make(std::move(knots));
}

HashedRanker random_ranker(uint64_t seed = 1) {
  std::vector<float> weights(kNumFeatureBuckets);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = float(random_uniform(seed, RngStream::kTest, i)) - 0.5f;
  return *HashedRanker::make(weights, curve());
}

std::vector<Feature> features(std::string_view prompt, int32_t num_turns = 1) {
  FeatureList list;
  extract_features({prompt, num_turns}, list);
  return {list.view().begin(), list.view().end()};
}

std::string words(int n, const std::string& stem = "w") {
  std::string text;
  for (int i = 0; i < n; ++i) text += stem + std::to_string(i % 10) + "x ";
  return text;
}

std::string random_bytes(size_t size, uint64_t seed) {
  std::string text(size, 0);
  for (size_t i = 0; i < size; ++i) text[i] = char(random_bits(seed, RngStream::kTest, i));
  return text;
}

}  // namespace

TEST_CASE("a prompt's features are a unit vector without a bucket twice", "[ranker]") {
  for (const std::string& prompt :
       {std::string("Write three sentences about 2 to 40 foxes."), std::string(), words(500),
        std::string("\xff\xfe\x80 \xe4\xbd\xa0\xe5\xa5\xbd \0 x", 14), random_bytes(5000, 3)}) {
    std::vector<bool> seen(kNumFeatureBuckets);
    double square = 0;
    for (const Feature& f : features(prompt)) {
      CHECK_FALSE(seen[f.bucket]);
      seen[f.bucket] = true;
      CHECK((f.value > 0 && f.value <= 1));
      square += double(f.value) * f.value;
    }
    CHECK(square == Approx(1).epsilon(1e-5));
  }
}

TEST_CASE("letter case does not matter to a ranker, words and turns do", "[ranker]") {
  const HashedRanker ranker = random_ranker();
  const float score = ranker.score({"Tell me a story.", 1});
  CHECK(ranker.score({"TELL me a StoRy.", 1}) == score);
  CHECK(ranker.score({"Tell me a joke.", 1}) != score);
  CHECK(ranker.score({"Tell me a story.", 5}) != score);
  CHECK(ranker.score({"Tell me a story.", 0}) == score);  // no fewer turns than one
  CHECK(ranker.score({"Tell me a story.", std::numeric_limits<int32_t>::min()}) == score);
}

TEST_CASE("of a long prompt, both ends are looked at", "[ranker]") {
  const HashedRanker ranker = random_ranker();
  const auto with = [&](int at, int size) {  // one word of `size` words is another
    std::string text;
    for (int i = 0; i < size; ++i) text += i == at ? "fox " : "dog ";
    return ranker.score({text, 1});
  };
  const int size = 400;
  const float plain = with(-1, size);
  for (const int at : {0, kNumHeadWords - 1, size - kNumTailWords, size - 1})
    CHECK(with(at, size) != plain);
  for (const int at : {kNumHeadWords, 200, size - kNumTailWords - 1})
    CHECK(with(at, size) == plain);
  const int all = kNumHeadWords + kNumTailWords;  // here nothing is left out
  for (int at = 0; at < all; ++at) CHECK(with(at, all) != with(-1, all));
}

TEST_CASE("hostile prompts get finite scores", "[ranker]") {
  const HashedRanker ranker = random_ranker();
  std::vector<std::string> prompts{"",
                                   " ",
                                   std::string(1, '\0'),
                                   "\xff",
                                   "\xe4\xbd",
                                   "'",
                                   "''''",
                                   "1,000,000,000,000,000,000,000,000,000,000,000,000,000,000",
                                   std::string(1 << 20, 'a'),
                                   std::string(1 << 20, '9'),
                                   std::string(1 << 20, '\''),
                                   std::string(1 << 20, '\n'),
                                   words(200000),
                                   words(kNumHeadWords + kNumTailWords + 1)};
  std::string ideographs;
  for (int i = 0; i < 100000; ++i) ideographs += "\xe4\xbd\xa0";
  prompts.push_back(ideographs);
  std::string numbers;
  for (int i = 0; i < 1000; ++i) numbers += std::to_string(i * 977) + " ";
  prompts.push_back(numbers);
  for (uint64_t seed = 0; seed < 300; ++seed) prompts.push_back(random_bytes(seed * 7, seed));
  for (const std::string& prompt : prompts) {
    const float score = ranker.score({prompt, 1});
    CHECK(std::isfinite(score));
    CHECK(std::isfinite(ranker.expected_output_tokens(score)));
    CHECK(score == ranker.score({prompt, 1}));
  }
}

TEST_CASE("largest weights give finite scores", "[ranker]") {
  const auto ranker = HashedRanker::make(std::vector<float>(kNumFeatureBuckets, 65504), curve());
  CHECK(std::isfinite(ranker->score({words(1000), 1})));
}

TEST_CASE("a huge prompt costs no more than a long one", "[ranker]") {
  const HashedRanker ranker = random_ranker();
  const auto seconds = [&](const std::string& prompt) {
    double best = 1e9;
    for (int i = 0; i < 20; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      for (int k = 0; k < 20; ++k) ranker.score({prompt, 1});
      best = std::min(
          best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
  };
  const double long_one = seconds(words(3000));
  CHECK(seconds(words(1 << 20)) < 5 * long_one);
  CHECK(seconds(std::string(16 << 20, 'a')) < 5 * long_one);
}

TEST_CASE("any number of threads may score", "[ranker]") {
  const HashedRanker ranker = random_ranker();
  std::vector<std::string> prompts;
  for (int i = 0; i < 64; ++i) prompts.push_back(words(i * 3, "p" + std::to_string(i)));
  std::vector<float> expected;
  for (const std::string& prompt : prompts) expected.push_back(ranker.score({prompt, 1}));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < prompts.size() * 20; ++i)
        wrong[t] += ranker.score({prompts[i % 64], 1}) != expected[i % 64];
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4));
}

TEST_CASE("a version is its model's content", "[ranker]") {
  std::vector<float> weights(kNumFeatureBuckets);
  const auto version = [&] { return HashedRanker::make(weights, curve())->version(); };
  const uint64_t before = version();
  CHECK(version() == before);
  weights[77] = 1e-9f;  // 0 as an f16
  CHECK(version() == before);
  weights[77] = 0.5f;
  CHECK(version() != before);
  weights[77] = 0;
  CHECK(HashedRanker::make(weights, curve({{-1, 10}, {0, 21}, {1, 100}}))->version() != before);
}

TEST_CASE("weights that are no numbers make no ranker", "[ranker]") {
  for (const float wrong : {kInfinity, -kInfinity, std::nanf(""), 65520.0f}) {
    std::vector<float> weights(kNumFeatureBuckets);
    weights[4321] = wrong;
    const auto made = HashedRanker::make(weights, curve());
    REQUIRE_FALSE(made.ok());
    CHECK(made.status().message().find("weight 4321") != std::string::npos);
  }
  CHECK_FALSE(HashedRanker::make(std::vector<float>(10), curve()).ok());
}

TEST_CASE("a curve rises between its knots and is level beyond them", "[ranker]") {
  const LengthCurve c = curve();
  CHECK(c.tokens(-1) == 10);
  CHECK(c.tokens(-0.5f) == 15);
  CHECK(c.tokens(0) == 20);
  CHECK(c.tokens(0.25f) == 40);
  CHECK(c.tokens(1) == 100);
  CHECK(c.tokens(-7) == 10);
  CHECK(c.tokens(7) == 100);
  CHECK(c.tokens(kInfinity) == 100);
  CHECK(c.tokens(-kInfinity) == 10);
  CHECK(c.tokens(std::nanf("")) == 20);
  double last = 0;
  for (float s = -2; s < 2; s += 0.01f) {
    CHECK(c.tokens(s) >= last);
    last = c.tokens(s);
  }
}

TEST_CASE("a curve with a wrong knot is refused, naming it", "[ranker]") {
  using Case = std::pair<std::vector<LengthKnot>, std::string>;
  for (const auto& [knots, named] : {
           Case{{}, "knots: must be 1 to 64, are 0"},
           Case{std::vector<LengthKnot>(65), "are 65"},
           Case{{{0, 1}, {std::nanf(""), 2}}, "knot 1: score: must be finite"},
           Case{{{kInfinity, 1}}, "knot 0: score"},
           Case{{{0, -1}}, "knot 0: length: must be 0 to 1000000000"},
           Case{{{0, 2e9f}}, "knot 0: length"},
           Case{{{0, std::nanf("")}}, "knot 0: length"},
           Case{{{0, 1}, {0, 2}}, "knot 1: score: must be above 0"},
           Case{{{0, 5}, {1, 4}}, "knot 1: length: must be at least 5"},
       }) {
    const auto made = LengthCurve::make(knots);
    REQUIRE_FALSE(made.ok());
    CAPTURE(made.status().message());
    CHECK(made.status().message().find(named) != std::string::npos);
  }
}

TEST_CASE("a fitted curve never falls, whatever the lengths", "[ranker]") {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const size_t n = 1 + random_bits(seed, RngStream::kTest, 0) % 500;
    std::vector<float> scores;
    std::vector<double> lengths;
    for (size_t i = 0; i < n; ++i) {
      const uint64_t bits = random_bits(seed, RngStream::kTest, i + 1);
      scores.push_back(float(bits % 50));  // with ties
      lengths.push_back(double(bits >> 40 & 1023) + (seed % 2 ? double(bits % 50) * 40 : 0));
    }
    const LengthCurve fitted = LengthCurve::fit(scores, lengths);
    const std::vector<LengthKnot> knots(fitted.knots().begin(), fitted.knots().end());
    const auto made = LengthCurve::make(knots);
    CAPTURE(seed, made.status().message());
    CHECK(made.ok());
  }
  // Where lengths follow the scores, so does the curve.
  std::vector<float> scores;
  std::vector<double> lengths;
  for (int i = 0; i < 2000; ++i) {
    scores.push_back(float(i) / 1000);
    lengths.push_back(i);
  }
  const LengthCurve line = LengthCurve::fit(scores, lengths);
  CHECK(line.knots().size() == 20);
  for (const float s : {0.1f, 0.77f, 1.5f, 1.9f})
    CHECK(line.tokens(s) == Approx(s * 1000).margin(1));
}
