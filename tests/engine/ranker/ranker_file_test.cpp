// Rankers as files, and files that are none.
#include "engine/ranker/ranker_file.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/rng.h"
#include "engine/io/mapped_file.h"
#include "engine/io/safetensors_writer.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using test::TempDir;

namespace {

HashedRanker sample_ranker() {
  std::vector<float> weights(kNumFeatureBuckets);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = float(random_uniform(7, RngStream::kTest, i)) - 0.5f;
  return *HashedRanker::make(weights, *LengthCurve::make({{-1, 10}, {0.5f, 20}, {2, 300}}));
}

std::string read_bytes(const std::string& path) {
  const auto file = MappedFile::open(path);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

// The bytes of the sample's file with `from` replaced by `to`, of the same length.
std::string with_replaced(const std::string& bytes, const std::string& from,
                          const std::string& to) {
  REQUIRE(from.size() == to.size());
  const size_t at = bytes.find(from);
  REQUIRE(at != std::string::npos);
  return std::string(bytes).replace(at, from.size(), to);
}

std::string refusal(const std::string& path) {
  const auto opened = open_ranker(path);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.status().message().find(path) != std::string::npos);
  return opened.status().message();
}

}  // namespace

TEST_CASE("a ranker's file gives the same ranker back", "[ranker]") {
  const TempDir dir;
  const std::string path = dir.path() + "/r.safetensors";
  const HashedRanker ranker = sample_ranker();
  REQUIRE(save_ranker(ranker, path).ok());
  CHECK(std::filesystem::file_size(path) < 300 * 1024);
  const auto opened = open_ranker(path);
  CAPTURE(opened.status().message());
  REQUIRE(opened.ok());
  CHECK((*opened)->name() == "hashed");
  CHECK((*opened)->version() == ranker.version());
  for (const char* prompt : {"", "Tell me a story.", "List 7 animals"}) {
    const float score = ranker.score({prompt, 1});
    CHECK((*opened)->score({prompt, 1}) == score);
    CHECK((*opened)->expected_output_tokens(score) == ranker.expected_output_tokens(score));
  }
  CHECK(save_ranker(ranker, path).code() == Code::kAlreadyExists);
  CHECK(open_ranker(dir.path() + "/none").status().code() == Code::kNotFound);
}

TEST_CASE("a ranker's file that was changed is refused, naming the field", "[ranker]") {
  const TempDir dir;
  REQUIRE(save_ranker(sample_ranker(), dir.path() + "/r").ok());
  const std::string good = read_bytes(dir.path() + "/r");
  using Change = std::array<std::string, 3>;
  for (const auto& [from, to, named] : {
           Change{"tern-ranker", "tern-rankes", "format: must be \"tern-ranker\""},
           Change{R"("format_version":"1")", R"("format_version":"2")", "format_version: must be"},
           Change{R"("ranker":"hashed")", R"("ranker":"hashee")", "ranker: must be \"hashed\""},
           Change{"\"features_version\":\"", "\"featuret_version\":\"", "features_version"},
           Change{R"("weights":{"dtype":"F16")", R"("weights":{"dtype":"I16")",
                  "weights: must be f16"},
           Change{R"("weights":{)", R"("weightt":{)", "weights: is missing"},
           Change{"curve.tokens", "curve.tokent", "curve.tokens: is missing"},
           Change{"[65536]", "[32768]", "weights"},
           Change{R"("sha256":")", R"("sha257":")", "sha256"},
       }) {
    CAPTURE(from);
    const std::string message = refusal(dir.write("changed", with_replaced(good, from, to)));
    CAPTURE(message);
    CHECK(message.find(named) != std::string::npos);
  }
  std::string flipped = good;
  flipped.back() = char(flipped.back() ^ 1);  // the last weight
  CHECK(refusal(dir.write("changed", flipped)).find("sha256") != std::string::npos);
}

TEST_CASE("tensors of a ranker's file are checked one by one", "[ranker]") {
  const TempDir dir;
  const std::map<std::string, std::string> metadata{
      {"format", "tern-ranker"},
      {"format_version", "1"},
      {"ranker", "hashed"},
      {"features_version", std::to_string(kFeaturesVersion)},
      {"sha256", std::string(64, '0')}};
  const auto made = [&](int64_t knots, std::vector<float> curve, F16 weight, bool extra) {
    std::vector<TensorSpec> specs{{"curve.scores", {knots}, DType::kF32},
                                  {"curve.tokens", {knots}, DType::kF32},
                                  {"weights", {kNumFeatureBuckets}, DType::kF16}};
    if (extra) specs.push_back({"extra", {1}, DType::kF32});
    const std::string path = dir.path() + "/made";
    std::filesystem::remove(path);
    auto writer = SafetensorsWriter::create(path, specs, metadata);
    curve.resize(size_t(2 * knots), 1);
    REQUIRE(writer->write(std::as_bytes(std::span(curve))).ok());
    const std::vector<F16> weights(kNumFeatureBuckets, weight);
    REQUIRE(writer->write(std::as_bytes(std::span(weights))).ok());
    if (extra) REQUIRE(writer->write(std::as_bytes(std::span(curve).first(1))).ok());
    REQUIRE(writer->finish().ok());
    return refusal(path);
  };
  const F16 zero = to_f16(0);
  CHECK(made(1, {0, 5}, zero, false).find("sha256: must be") != std::string::npos);
  CHECK(made(1, {0, 5}, to_f16(INFINITY), false).find("weight 0: must be finite") !=
        std::string::npos);
  CHECK(made(1, {std::nanf(""), 5}, zero, false).find("curve: knot 0: score") != std::string::npos);
  CHECK(made(2, {0, 1, 5, 4}, zero, false).find("curve: knot 1: length") != std::string::npos);
  CHECK(made(65, {}, zero, false).find("curve.scores: must be one row of 1 to 64") !=
        std::string::npos);
  CHECK(made(0, {}, zero, false).find("curve.scores") != std::string::npos);
  CHECK(made(1, {0, 5}, zero, true).find("tensors: must be 3, are 4") != std::string::npos);
}

TEST_CASE("bytes that are no ranker are refused", "[ranker]") {
  const TempDir dir;
  REQUIRE(save_ranker(sample_ranker(), dir.path() + "/r").ok());
  const std::string good = read_bytes(dir.path() + "/r");
  const size_t header = good.find("weights") + 200;  // all before the tensors, and some of these
  for (size_t size = 0; size < good.size(); size += size < header ? 7 : 9973)
    refusal(dir.write("cut", good.substr(0, size)));
  refusal(dir.write("longer", good + "x"));
  for (uint64_t i = 0; i < 400; ++i) {  // one bit anywhere
    std::string flipped = good;
    const uint64_t bits = random_bits(3, RngStream::kTest, i);
    const size_t at = (bits >> 8) % (i % 2 ? good.size() : header);
    flipped[at] = char(flipped[at] ^ (1 << (bits & 7)));
    const auto opened = open_ranker(dir.write("flipped", flipped));
    // Some bits of the header say nothing: spaces of its padding.
    if (opened.ok()) CHECK((*opened)->version() == sample_ranker().version());
  }
  const auto other = open_ranker(source_path("models/tern-stories/model.safetensors"));
  CHECK_FALSE(other.ok());
}
