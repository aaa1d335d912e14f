// Model directories: single files, shards, and errors that name what is wrong.
#include "engine/io/checkpoint.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;

namespace {

/// A safetensors file with bf16 tensors of one element each.
std::string file_of(const std::vector<std::string>& names) {
  nlohmann::json header = nlohmann::json::object();
  for (size_t i = 0; i < names.size(); ++i)
    header[names[i]] = {{"dtype", "BF16"}, {"shape", {1}}, {"data_offsets", {2 * i, 2 * i + 2}}};
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = char(text.size() >> (8 * i) & 255);
  return bytes + text + std::string(2 * names.size(), 'x');
}

std::string index_of(const nlohmann::json& weight_map) {
  return nlohmann::json{{"metadata", {{"total_size", 3}}}, {"weight_map", weight_map}}.dump();
}

std::vector<std::string> names_of(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const TensorInfo& t : checkpoint.tensors()) names.push_back(t.name);
  return names;
}

uint64_t bytes_of(const Checkpoint& checkpoint) {
  uint64_t bytes = 0;
  for (const TensorInfo& t : checkpoint.tensors()) bytes += t.bytes;
  return bytes;
}

Status open_status(const test::TempDir& dir) {
  return Checkpoint::open(dir.path()).status();
}

constexpr char kIndex[] = "model.safetensors.index.json";

}  // namespace

TEST_CASE("a checkpoint of one file", "[io][checkpoint]") {
  const test::TempDir dir;
  dir.write("model.safetensors", file_of({"b", "a"}));
  auto opened = Checkpoint::open(dir.path());
  REQUIRE(opened.ok());
  const Checkpoint checkpoint = *std::move(opened);
  REQUIRE(checkpoint.path() == dir.path());
  REQUIRE(names_of(checkpoint) == std::vector<std::string>{"a", "b"});
  REQUIRE(bytes_of(checkpoint) == 4);
  REQUIRE(checkpoint.find("a") != nullptr);
  REQUIRE(checkpoint.find("c") == nullptr);
  REQUIRE(checkpoint.get("a", {1}).ok());

  const Status missing = checkpoint.get("model.c", {1}).status();
  REQUIRE(missing.code() == Code::kNotFound);
  REQUIRE_THAT(missing.message(), Contains("model.c") && Contains(dir.path()));
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{2}, {1, 1}, {}}) {
    const Status wrong = checkpoint.get("a", shape).status();
    REQUIRE(wrong.code() == Code::kInvalidArgument);
    REQUIRE_THAT(wrong.message(), Contains("[1]") && Contains("\"a\""));
  }
  REQUIRE_THAT(checkpoint.get("a", {3, 4}).status().message(), Contains("[3, 4]"));
}

TEST_CASE("a checkpoint of shards", "[io][checkpoint]") {
  const test::TempDir dir;
  dir.write("m-1.safetensors", file_of({"a", "b"}));
  dir.write("m-2.safetensors", file_of({"c"}));
  dir.write(
      kIndex,
      index_of({{"a", "m-1.safetensors"}, {"b", "m-1.safetensors"}, {"c", "m-2.safetensors"}}));
  const auto checkpoint = Checkpoint::open(dir.path());
  REQUIRE(checkpoint.ok());
  REQUIRE(names_of(*checkpoint) == std::vector<std::string>{"a", "b", "c"});
  REQUIRE(bytes_of(*checkpoint) == 6);
}

TEST_CASE("broken checkpoints are refused by name", "[io][checkpoint][hostile]") {
  const test::TempDir dir;
  SECTION("no directory") {
    const Status s = Checkpoint::open(dir.path() + "/none").status();
    REQUIRE(s.code() == Code::kNotFound);
    REQUIRE_THAT(s.message(), Contains("/none"));
  }
  SECTION("a file instead of a directory") {
    REQUIRE(Checkpoint::open(dir.write("file", "")).status().code() == Code::kInvalidArgument);
  }
  SECTION("an empty directory") {
    REQUIRE(open_status(dir).code() == Code::kNotFound);
    REQUIRE_THAT(open_status(dir).message(), Contains("model.safetensors") && Contains(kIndex));
  }
  SECTION("a missing shard") {
    dir.write(kIndex, index_of({{"a", "m-1.safetensors"}}));
    REQUIRE(open_status(dir).code() == Code::kNotFound);
    REQUIRE_THAT(open_status(dir).message(), Contains("m-1.safetensors") && Contains(kIndex));
  }
  SECTION("a tensor that its shard lacks") {
    dir.write("m-1.safetensors", file_of({"a"}));
    dir.write("m-2.safetensors", file_of({"b"}));
    dir.write(kIndex, index_of({{"a", "m-1.safetensors"}, {"b", "m-1.safetensors"}}));
    REQUIRE(open_status(dir).code() == Code::kInvalidArgument);
    REQUIRE_THAT(open_status(dir).message(), Contains("\"b\"") && Contains("m-1.safetensors"));
  }
  SECTION("a tensor in two shards") {
    dir.write("m-1.safetensors", file_of({"a", "twin"}));
    dir.write("m-2.safetensors", file_of({"b", "twin"}));
    dir.write(kIndex, index_of({{"a", "m-1.safetensors"}, {"b", "m-2.safetensors"}}));
    REQUIRE(open_status(dir).code() == Code::kInvalidArgument);
    REQUIRE_THAT(open_status(dir).message(),
                 Contains("twin") && Contains("m-1.safetensors") && Contains("m-2.safetensors"));
  }
  SECTION("shards outside the directory") {
    for (const char* name : {"../m.safetensors", "/etc/passwd", "a/../../m", ""}) {
      dir.write(kIndex, index_of({{"a", name}}));
      CAPTURE(name);
      REQUIRE(open_status(dir).code() == Code::kInvalidArgument);
      REQUIRE_THAT(open_status(dir).message(), Contains("not inside"));
    }
    dir.write(kIndex, R"({"weight_map":{"a":"m\u0000.safetensors"}})");
    REQUIRE_THAT(open_status(dir).message(), Contains("not inside"));
  }
  SECTION("an index of another form") {
    for (const char* text : {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{}})",
                             R"({"weight_map":{"a":1}})"}) {
      dir.write(kIndex, text);
      CAPTURE(text);
      REQUIRE(open_status(dir).code() == Code::kInvalidArgument);
      REQUIRE_THAT(open_status(dir).message(), Contains(kIndex) && Contains("weight_map"));
    }
  }
  SECTION("a broken file") {
    dir.write("model.safetensors", "short");
    REQUIRE(open_status(dir).code() == Code::kInvalidArgument);
    REQUIRE_THAT(open_status(dir).message(), Contains("model.safetensors") && Contains("5 bytes"));
  }
}

TEST_CASE("the bundled model opens", "[io][checkpoint]") {
  const auto checkpoint = Checkpoint::open(source_path("models/tern-stories"));
  REQUIRE(checkpoint.ok());
  REQUIRE(checkpoint->get("model.embed_tokens.weight", {2048, 256}).ok());
  REQUIRE(bytes_of(*checkpoint) == 2 * 5'246'208);
}

TEST_CASE("JSON files: errors name file, line and column", "[io][json]") {
  const test::TempDir dir;
  const auto message = [&](const char* text) {
    const auto result = read_json_file(dir.write("x.json", text));
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.status().code() == Code::kInvalidArgument);
    return result.status().message();
  };
  REQUIRE_THAT(message("{\n  \"a\": 1,\n  \"b\": oops\n}"), Contains("x.json:3:8: syntax error"));
  REQUIRE_THAT(message("[1,]"), Contains("x.json:1:4: "));
  REQUIRE_THAT(message(""), Contains("x.json:1:1: "));
  REQUIRE_THAT(message("[1e999]"), Contains("1e999"));
  REQUIRE_THAT(message("[\"\xed\xa0\x80\"]"), Contains("x.json:1:"));
  REQUIRE(read_json_file(dir.path() + "/none.json").status().code() == Code::kNotFound);

  const auto json = read_json_file(dir.write("ok.json", R"({"a":[1,{"b":null}],"c":{"d":-2.5}} )"));
  REQUIRE(json.ok());
  REQUIRE(*json == nlohmann::json{{"a", {1, {{"b", nullptr}}}}, {"c", {{"d", -2.5}}}});
}

TEST_CASE("JSON files are read as Python reads them", "[io][json]") {
  const test::TempDir dir;
  const auto read = [&](const std::string& text) {
    const auto value = read_json_file(dir.write("c.json", text));
    INFO(value.status().message());
    REQUIRE(value.ok());
    return value->dump();
  };
  CHECK(read(R"({"a": {"b": 1, "b": 2}, "c": 3, "a": {"b": [4], "b": 5}})") ==
        R"({"a":{"b":5},"c":3})");
  CHECK(read(R"({"a": {"b": 1}, "a": 2})") == R"({"a":2})");
  CHECK(read(R"({"a": NaN, "b": [Infinity, -Infinity, -1], "NaN\"": "x \\\" NaN"})") ==
        R"({"NaN\"":"x \\\" NaN","a":"NaN","b":["Infinity","-Infinity",-1]})");
  for (const char* broken : {"{\"a\": NaNs}", "{\"a\": NaN", "{\"a\": +Infinity}", "{NaN: 1"})
    CHECK_FALSE(read_json_file(dir.write("c.json", broken)).ok());
}

TEST_CASE("text files have a size limit", "[io]") {
  const test::TempDir dir;
  const std::string path = dir.write("x.txt", "12345");
  REQUIRE(*read_text_file(path, 5) == "12345");
  const auto large = read_text_file(path, 4);
  REQUIRE(large.status().code() == Code::kInvalidArgument);
  REQUIRE_THAT(large.status().message(), Contains("limit 4"));
}

TEST_CASE("mapped files move and may be empty", "[io]") {
  const test::TempDir dir;
  auto empty = MappedFile::open(dir.write("empty", ""));
  REQUIRE(empty.ok());
  REQUIRE(empty->bytes().empty());
  MappedFile file = *MappedFile::open(dir.write("x", "abc"));
  MappedFile moved = std::move(file);
  REQUIRE(moved.bytes().size() == 3);
  moved = MappedFile();
  REQUIRE(moved.bytes().empty());
}
