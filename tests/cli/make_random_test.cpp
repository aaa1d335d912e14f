// Random checkpoints: of every architecture, loadable, equal where the seed is, never half there.
#include "cli/files/make_random.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/io/safetensors.h"
#include "engine/serve/generate_all.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using tern::test::TempDir;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = fs::path(source_path("tests/data/golden"));

void ignore_progress(double) {}

std::string read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

MakeRandomOptions options_for(const std::string& model, const fs::path& out) {
  MakeRandomOptions options;
  options.config_file = (kGolden / model / "config.json").string();
  options.out = out.string();
  options.seed = 7;
  return options;
}

nlohmann::json make(const MakeRandomOptions& options) {
  const auto result = make_random(options, ignore_progress);
  INFO(result.status().message());
  REQUIRE(result.ok());
  return *result;
}

}  // namespace

TEST_CASE("every architecture loads its random checkpoint and answers", "[make_random]") {
  int num_models = 0;
  for (const auto& entry : fs::directory_iterator(kGolden)) {
    if (!fs::exists(entry.path() / "config.json")) continue;
    ++num_models;
    const TempDir dir;
    const fs::path out = fs::path(dir.path()) / "model";
    CAPTURE(entry.path().string());
    const nlohmann::json report = make(options_for(entry.path().filename(), out));
    CHECK(report["bytes"].get<uint64_t>() == 2 * report["parameters"].get<uint64_t>());
    EngineConfig config;
    config.model_dir = out.string();
    config.max_model_len = 64;
    config.num_threads = 1;
    auto engine = create_engine(config, {});
    INFO(engine.status().message());
    REQUIRE(engine.ok());
    CHECK((*engine)->model_info().num_parameters == report["parameters"].get<uint64_t>());
    Request request;
    request.prompt_token_ids = {3, 5, 7};
    request.sampling.max_tokens = 8;
    request.sampling.ignore_eos = true;
    const auto answers = generate_all(**engine, {request}, {});
    REQUIRE(answers.ok());
    CHECK((*answers)[0].token_ids.size() == 8);
  }
  CHECK(num_models >= 13);
}

TEST_CASE("equal seeds give equal bytes, however the files are cut; others do not",
          "[make_random]") {
  const TempDir dir;
  MakeRandomOptions options = options_for("llama", fs::path(dir.path()) / "a");
  CHECK(make(options)["files"] == nlohmann::json{"model.safetensors"});
  options.out = (fs::path(dir.path()) / "b").string();
  make(options);
  CHECK(read_bytes(fs::path(dir.path()) / "a/model.safetensors") ==
        read_bytes(fs::path(dir.path()) / "b/model.safetensors"));
  CHECK(read_bytes(fs::path(dir.path()) / "a/config.json") == read_bytes(options.config_file));

  options.out = (fs::path(dir.path()) / "shards").string();
  options.max_shard_bytes = 50000;
  const nlohmann::json report = make(options);
  REQUIRE(report["files"].size() > 3);
  const auto whole = SafetensorsFile::open((fs::path(dir.path()) / "a/model.safetensors").string());
  REQUIRE(whole.ok());
  size_t num_tensors = 0;
  for (const nlohmann::json& name : report["files"]) {
    if (name == "model.safetensors.index.json") continue;
    const auto shard = SafetensorsFile::open(options.out + "/" + name.get<std::string>());
    REQUIRE(shard.ok());
    for (const auto& [tensor_name, tensor] : shard->tensors()) {
      const TensorView* same = whole->find(tensor_name);
      REQUIRE(same);
      const auto bytes = size_t(tensor.num_elements() * dtype_bytes(tensor.dtype));
      CHECK(std::memcmp(tensor.data, same->data, bytes) == 0);
      ++num_tensors;
    }
  }
  CHECK(num_tensors == whole->tensors().size());
  CHECK(num_tensors == report["tensors"].get<size_t>());

  options = options_for("llama", fs::path(dir.path()) / "other");
  options.seed = 8;
  make(options);
  CHECK(read_bytes(fs::path(dir.path()) / "a/model.safetensors") !=
        read_bytes(fs::path(dir.path()) / "other/model.safetensors"));
}

TEST_CASE("weights have the moments that are promised, in every type", "[make_random]") {
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kF16}) {
    const TempDir dir;
    MakeRandomOptions options = options_for("llama-mha-bias-tied", fs::path(dir.path()) / "m");
    options.dtype = dtype;
    make(options);
    const auto file = SafetensorsFile::open(options.out + "/model.safetensors");
    REQUIRE(file.ok());
    double sum = 0, square = 0, fourth = 0;
    int64_t count = 0;
    for (const auto& [name, tensor] : file->tensors()) {
      CHECK(tensor.dtype == dtype);
      const bool is_gain = name.find("norm") != std::string::npos;
      for (int64_t i = 0; i < tensor.num_elements(); ++i) {
        const double v = float_element(tensor, i) - (is_gain ? 1 : 0);
        REQUIRE(std::abs(v) < 0.08);
        if (tensor.rank < 2) continue;
        sum += v, square += v * v, fourth += v * v * v * v, ++count;
      }
    }
    const double n = double(count), variance = square / n;
    CHECK(std::abs(sum / n) < 4 * 0.02 / std::sqrt(n));
    CHECK(std::sqrt(variance) == Approx(0.02).epsilon(0.01));
    CHECK(fourth / n / (variance * variance) == Approx(2.7).epsilon(0.02));  // of four uniforms
  }
}

TEST_CASE("make-random overwrites nothing and names what is wrong", "[make_random]") {
  const TempDir dir;
  MakeRandomOptions options = options_for("llama", fs::path(dir.path()) / "m");
  make(options);
  const std::string before = read_bytes(fs::path(dir.path()) / "m/model.safetensors");
  options.seed = 99;
  const Status again = make_random(options, ignore_progress).status();
  CHECK(again.code() == Code::kAlreadyExists);
  CHECK(again.message().find(options.out) == 0);
  CHECK(read_bytes(fs::path(dir.path()) / "m/model.safetensors") == before);

  options = options_for("llama", fs::path(dir.path()) / "none");
  options.config_file = (fs::path(dir.path()) / "missing.json").string();
  CHECK(make_random(options, ignore_progress).status().code() == Code::kNotFound);
  options.config_file = (fs::path(dir.path()) / "bad.json").string();
  std::ofstream(options.config_file) << R"({"architectures": ["NobodyForCausalLM"]})";
  CHECK_FALSE(make_random(options, ignore_progress).ok());
  CHECK_FALSE(fs::exists(options.out));
}

TEST_CASE("a full disk leaves nothing behind", "[make_random]") {
  const TempDir dir;
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{50000, before.rlim_max};  // as a disk that ends there
  setrlimit(RLIMIT_FSIZE, &small);
  MakeRandomOptions options = options_for("llama", fs::path(dir.path()) / "m");
  options.max_shard_bytes = 90000;
  options.dtype = DType::kF32;
  const Status status = make_random(options, ignore_progress).status();
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  CHECK_FALSE(status.ok());
  CHECK(status.message().find("cannot write") == 0);
  CHECK_FALSE(fs::exists(options.out));
}
