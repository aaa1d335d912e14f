// Training: examples, what a ranker learns from them, and that nobody is scored by who has seen
// him.
#include "engine/ranker/train.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "base/rng.h"
#include "engine/ranker/evaluate.h"

using namespace tern;

namespace {

uint64_t draw(uint64_t seed, uint64_t i, uint64_t n) {
  return random_bits(seed, RngStream::kTest, i) % n;
}

// Prompts whose answers are as long as their kind says, and up to 90 % longer. No τ can be much
// above 0.68: a third of the pairs are of one kind, of which nothing tells the longer one.
std::vector<RankExample> made_up_examples(size_t n, uint64_t seed) {
  const std::vector<std::pair<std::string, double>> kinds{
      {"Name the capital of", 3}, {"Write a short note about", 40}, {"Write an essay about", 400}};
  std::vector<RankExample> examples;
  for (size_t i = 0; i < n; ++i) {
    const auto& [opening, length] = kinds[draw(seed, 3 * i, kinds.size())];
    examples.push_back({opening + " thing" + std::to_string(draw(seed, 3 * i + 1, 1000)) + ".",
                        length * (1 + 0.1 * double(draw(seed, 3 * i + 2, 10)))});
  }
  return examples;
}

double held_out_tau(const HashedRanker& ranker, uint64_t seed) {
  return judge(ranker, made_up_examples(300, seed), 0.2).tau;
}

std::string refusal(const std::string& lines) {
  const auto parsed = parse_rank_examples(lines, "f.jsonl");
  REQUIRE_FALSE(parsed.ok());
  return parsed.status().message();
}

}  // namespace

TEST_CASE("a larger score is a longer answer", "[ranker]") {
  const RankSet set = make_rank_set(made_up_examples(200, 1));
  for (const RankObjective objective :
       {RankObjective::kPairwise, RankObjective::kPointwise, RankObjective::kListwise}) {
    const auto ranker = train_ranker(set, {.objective = objective});
    REQUIRE(ranker.ok());
    const float name = ranker->score({"Name the capital of France.", 1});
    const float note = ranker->score({"Write a short note about France.", 1});
    const float essay = ranker->score({"Write an essay about France.", 1});
    CAPTURE(int(objective), name, note, essay);
    CHECK(name < note);
    CHECK(note < essay);
    CHECK(ranker->expected_output_tokens(name) < 10);
    CHECK(ranker->expected_output_tokens(essay) > 300);
    CHECK(held_out_tau(*ranker, 2) > 0.6);
  }
}

TEST_CASE("training depends on its seed and its examples alone", "[ranker]") {
  const RankSet set = make_rank_set(made_up_examples(100, 1));
  const auto version = [&](const TrainOptions& options) {
    return train_ranker(set, options)->version();
  };
  CHECK(version({}) == version({}));
  CHECK(version({}) != version({.seed = 1}));
  CHECK(version({}) != version({.delta = 0.5}));
  CHECK(version({}) != version({.margin = 2}));
  CHECK(version({}) != version({.epochs = 3}));
}

TEST_CASE("scores out of fold know nothing of their prompts", "[ranker]") {
  // Each prompt stands twice and says nothing, so that only who has seen it can know its length.
  std::vector<RankExample> examples;
  for (uint64_t i = 0; i < 200; ++i) {
    const std::string word = "w" + std::to_string(random_bits(5, RngStream::kTest, i) % 100000);
    for (int twice = 0; twice < 2; ++twice) examples.push_back({word, double(1 + draw(6, i, 500))});
  }
  const RankSet set = make_rank_set(examples);
  const auto out = cross_fit(set, {}, 5, 3);
  REQUIRE(out.ok());
  std::vector<double> scores(out->scores.begin(), out->scores.end());
  CHECK(std::abs(kendall_tau_b(scores, set.lengths)) < 0.15);
  CHECK(std::set<int32_t>(out->folds.begin(), out->folds.end()) ==
        std::set<int32_t>{0, 1, 2, 3, 4});
  for (size_t i = 0; i < out->folds.size(); i += 2) CHECK(out->folds[i] == out->folds[i + 1]);
  // A ranker that has seen them does: the test can fail.
  const auto seen = train_ranker(set, {});
  CHECK(judge(*seen, examples, 0.2).tau > 0.6);
}

TEST_CASE("out-of-fold scores and lengths are as good as the prompts tell", "[ranker]") {
  const std::vector<RankExample> examples = made_up_examples(300, 4);
  const RankSet set = make_rank_set(examples);
  const auto out = cross_fit(set, {}, 5, 0);
  REQUIRE(out.ok());
  std::vector<double> scores(out->scores.begin(), out->scores.end());
  CHECK(kendall_tau_b(scores, set.lengths) > 0.6);
  double error = 0, mean = 0;
  for (size_t i = 0; i < set.size(); ++i) {
    error += std::abs(out->expected_tokens[i] - set.lengths[i]) / double(set.size());
    mean += set.lengths[i] / double(set.size());
  }
  CHECK(error < 0.25 * mean);
  const auto again = cross_fit(set, {}, 5, 0), other = cross_fit(set, {}, 5, 1);
  CHECK(again->scores == out->scores);
  CHECK(other->folds != out->folds);
}

TEST_CASE("cross-validation reports every fold", "[ranker]") {
  const RankSet set = make_rank_set(made_up_examples(150, 1));
  double last = -1;
  const auto quality = cross_validate(set, {.epochs = 4}, 3, 2, [&](double p) { last = p; });
  REQUIRE(quality.ok());
  CHECK(quality->tau_by_fold.size() == 6);
  CHECK(last == 0.5);
  double sum = 0;
  for (const double tau : quality->tau_by_fold) sum += tau;
  CHECK(quality->tau == Approx(sum / 6));
  CHECK(quality->pair_accuracy > 0.85);
  int64_t count = 0;
  for (const CalibrationBin& bin : quality->calibration) count += bin.count;
  CHECK(count == 300);
}

TEST_CASE("what cannot be trained on is refused, naming why", "[ranker]") {
  const RankSet set = make_rank_set(made_up_examples(20, 1));
  const auto refused = [](const Status& status, const std::string& named) {
    CAPTURE(status.message());
    CHECK(status.code() == Code::kInvalidArgument);
    CHECK(status.message().find(named) != std::string::npos);
  };
  refused(train_ranker(set, {.delta = 1}).status(), "delta: must be at least 0 and below 1, is 1");
  refused(train_ranker(set, {.delta = std::nan("")}).status(), "delta");
  refused(train_ranker(set, {.margin = 0}).status(), "margin: must be above 0");
  refused(train_ranker(set, {.epochs = 0}).status(), "epochs: must be 1 to 10000, is 0");
  refused(cross_fit(set, {}, 1, 0).status(), "folds: must be 2 to");
  refused(cross_fit(set, {}, 21, 0).status(), "is 21");
  const std::vector<RankExample> equal{{"a", 5}, {"b", 5}, {"c", 5.5}};
  refused(train_ranker(make_rank_set(equal), {}).status(), "no two lengths differ");
  refused(train_ranker(make_rank_set({}), {}).status(), "no two lengths differ");
  const std::vector<RankExample> none{{"a", 0}, {"b", 0}};
  refused(train_ranker(make_rank_set(none), {}).status(), "no two lengths differ");
}

TEST_CASE("few and odd examples train", "[ranker]") {
  using Examples = std::vector<RankExample>;
  for (const Examples& examples : {Examples{{"a", 1}, {"b", 100}}, Examples{{"a", 0}, {"a", 100}},
                                   Examples{{"", 1}, {"\xff\xff", 7}, {"x", 1e9}},
                                   Examples{{"golden", 10}, {"silver", 11}, {"bronze", 100}}}) {
    const auto ranker = train_ranker(make_rank_set(examples), {});
    CAPTURE(ranker.status().message());
    REQUIRE(ranker.ok());
    CHECK(std::isfinite(ranker->score({"a b c", 1})));
  }
}

TEST_CASE("lines of examples are read, and wrong ones named", "[ranker]") {
  const auto read = parse_rank_examples(
      "{\"prompt\": \"a\", \"length\": 3}\n\r\n  \n{\"length\": 2.5, \"task\": [1], \"prompt\": "
      "\"\"}",
      "f");
  REQUIRE(read.ok());
  REQUIRE(read->size() == 2);
  CHECK(((*read)[0].prompt == "a" && (*read)[0].length == 3));
  CHECK(((*read)[1].prompt.empty() && (*read)[1].length == 2.5));
  const std::string good = "{\"prompt\": \"a\", \"length\": 3}\n";
  using Case = std::pair<std::string, std::string>;
  for (const auto& [line, named] : {
           Case{"{", "f.jsonl:2"},
           Case{"[]", "f.jsonl:2: must be an object"},
           Case{"{\"length\": 3}", "f.jsonl:2: prompt: must be a string"},
           Case{"{\"prompt\": 3, \"length\": 3}", "f.jsonl:2: prompt"},
           Case{"{\"prompt\": \"a\"}",
                "f.jsonl:2: length: must be a number from 0 to 1000000000, is missing"},
           Case{"{\"prompt\": \"a\", \"length\": -1}",
                "length: must be a number from 0 to 1000000000, is -1"},
           Case{"{\"prompt\": \"a\", \"length\": \"3\"}", "is \"3\""},
           Case{"{\"prompt\": \"a\", \"length\": 1e300}", "is 1e+300"},
           Case{"{\"prompt\": \"a\", \"length\": null}", "is null"},
           Case{"{\"prompt\": \"a\", \"length\": NaN}", "f.jsonl:2"},
       }) {
    const std::string message = refusal(good + line + "\n");
    CAPTURE(line, message);
    CHECK(message.find(named) != std::string::npos);
  }
  CHECK(refusal("").find("f.jsonl: has no examples") != std::string::npos);
  CHECK(refusal("\n\n").find("has no examples") != std::string::npos);
}
