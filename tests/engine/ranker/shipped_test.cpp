// The ranker that tern ships, on prompts that it was not trained on.
#include <catch2/catch.hpp>

#include "base/whole_file.h"
#include "engine/ranker/evaluate.h"
#include "engine/ranker/ranker_file.h"
#include "tests/support/source_dir.h"

using namespace tern;

TEST_CASE("the shipped ranker orders prompts that it was not trained on", "[ranker]") {
  const auto ranker = open_ranker(source_path("models/rankers/tern-stories.safetensors"));
  CAPTURE(ranker.status().message());
  REQUIRE(ranker.ok());
  const std::string path = source_path("models/rankers/tern-stories.test.jsonl");
  const auto examples = parse_rank_examples(*read_whole_file(path), path);
  REQUIRE(examples.ok());
  const RankQuality quality = judge(**ranker, *examples, 0.2);
  CHECK(quality.tau > 0.90);  // the card says how much
  CHECK(quality.pair_accuracy > 0.98);
  for (const CalibrationBin& bin : quality.calibration)
    CHECK(bin.predicted == Approx(bin.actual).epsilon(0.2).margin(1));
}
