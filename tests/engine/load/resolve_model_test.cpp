// What an operator writes, and which model that is.
#include "engine/load/resolve_model.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::string failure(const std::string& text) {
  const auto resolved = resolve_model(text);
  REQUIRE(!resolved.ok());
  return resolved.status().message();
}

/// Sets TERN_MODELS for a scope.
struct ModelsVariable {
  explicit ModelsVariable(const std::string& value) { setenv("TERN_MODELS", value.c_str(), 1); }
  ~ModelsVariable() { unsetenv("TERN_MODELS"); }
};

/// Goes to a folder for a scope.
struct WorkingDirectory {
  explicit WorkingDirectory(const std::string& path) : before(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  ~WorkingDirectory() { std::filesystem::current_path(before); }
  const std::filesystem::path before;
};

}  // namespace

TEST_CASE("a model is found by path, or by name in one of several places", "[runtime][resolve]") {
  const test::TempDir dir;
  dir.write("models/here/config.json", "{}");
  dir.write("models/single.gguf", "GGUF");
  dir.write("others/there/weights.gguf", "GGUF");
  CHECK(*resolve_model(dir.path() + "/models/here") == dir.path() + "/models/here");
  CHECK(*resolve_model(dir.path() + "/others/there") == dir.path() + "/others/there/weights.gguf");

  const WorkingDirectory in(dir.path());
  CHECK(*resolve_model("here") == "models/here");
  CHECK(*resolve_model("single") == "models/single.gguf");
  CHECK(!resolve_model("there").ok());
  const ModelsVariable variable(dir.path() + "/others");
  CHECK(*resolve_model("there") == dir.path() + "/others/there/weights.gguf");
  CHECK(*resolve_model("here") == "models/here");
}

TEST_CASE("an unknown name says where it was looked for, and what is there", "[runtime][resolve]") {
  const test::TempDir dir;
  dir.write("models/alpha/config.json", "{}");
  dir.write("models/beta.gguf", "GGUF");
  const WorkingDirectory in(dir.path());
  CHECK_THAT(failure("gamma"), StartsWith("no model at gamma: ") &&
                                   Contains("$TERN_MODELS (not set)") && Contains("alpha, beta"));
  const ModelsVariable variable("/nowhere");
  CHECK_THAT(failure("gamma"),
             Contains("$TERN_MODELS = /nowhere") && Contains("share/tern/models"));
}

TEST_CASE("names of the Hub and addresses are asked for as local paths", "[runtime][resolve]") {
  CHECK_THAT(failure("meta-llama/Llama-3.2-1B"),
             StartsWith("no model at meta-llama/Llama-3.2-1B: ") &&
                 Contains("hf download meta-llama/Llama-3.2-1B") && Contains("local path"));
  for (const char* url : {"https://huggingface.co/a/b", "hf://a/b", "s3://bucket/model.gguf",
                          "file://host/models/a", "oci+http://x"})
    CHECK_THAT(failure(url), Contains("that is an address") && Contains("local files"));
  for (const char* name : {"hf.co/a/b", "huggingface.co/a/b", "a/b:Q4_0", "a/b@main", "a/b/",
                           "hf:a/b", "hf.co/a/b:Q4_K_M", "a/b@refs-1.0"})
    CHECK_THAT(failure(name), StartsWith("no model at " + std::string(name) + ": ") &&
                                  Contains("'hf download a/b --local-dir DIR'"));
  CHECK_THAT(failure("llama3:8b"),
             Contains("download it and give the path") && Contains("looked for a bundled model"));
  for (const char* path : {"a/b.gguf", "a/b.gguf/", "a/b:c/d", "hf.co/a", "a//b", "/models/a",
                           "./models/nobody", "a/b/c", "../x/y"})
    CHECK_THAT(failure(path), Contains("there is no such file or directory"));
  CHECK_THAT(failure("file:///models/a"), StartsWith("no model at /models/a: "));
  const test::TempDir dir;
  dir.write("a b/config.json", "{}");
  for (const std::string scheme : {"file://", "file://localhost"})
    CHECK(*resolve_model(scheme + dir.path() + "/a%20b") == dir.path() + "/a b");
  CHECK(failure("") == "model: must be a directory or a bundled name");
}

TEST_CASE("a file of a model's directory names the directory", "[runtime][resolve]") {
  const test::TempDir dir;
  const auto why = [](const std::string& path) { return resolve_model(path).status().message(); };
  const std::string alone = dir.write("alone/model.safetensors", "x");
  CHECK(why(alone) == alone +
                          ": is one file, and there is no config.json beside it: name a model's "
                          "directory or a GGUF file");
  const std::string config = dir.write("m/config.json", "{}");
  for (const char* part : {"model.safetensors", "model-00001-of-00002.safetensors",
                           "tokenizer.json", "pytorch_model.bin", "config.json"})
    CHECK(why(dir.write(std::string("m/") + part, "{}")) ==
          dir.path() + "/m/" + part + ": is one file of a model: name its directory, " +
              dir.path() + "/m");
  CHECK(resolve_model(dir.write("m/sha256-0123", "GGUF")).ok());  // what it is, its bytes tell
  CHECK(resolve_model(dir.write("m/x.gguf", "GGUF")).ok());
  CHECK(why("~/models/x")
            .ends_with("the ~ of a shell is not expanded here: write the path of the "
                       "home directory"));
}

TEST_CASE("a directory of several GGUF files names none of them", "[runtime][resolve]") {
  const test::TempDir dir;
  dir.write("m/a.gguf", "GGUF");
  dir.write("m/b.gguf", "GGUF");
  CHECK_THAT(failure(dir.path() + "/m"), Contains("holds 2 GGUF files"));
}
