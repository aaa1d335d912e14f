// GGUF files: what a valid one holds, and that every broken one is refused by name.
#include "engine/io/gguf.h"

#include "engine/io/gguf_rows.h"

#include <catch2/catch.hpp>
#include <limits>
#include <random>

#include "tests/engine/io/gguf_writer.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using test::Bytes;
using test::GgufWriter;

namespace {

GgufWriter valid() {
  GgufWriter w;
  w.set("general.architecture", "llama").set("count", uint32_t(7)).set("eps", 0.5f);
  w.set("precise", 0.25).set("flag", true).set("empty", "");
  w.set("names", std::vector<std::string>{"a", "", "\xff"});
  w.set("types", std::vector<int32_t>{1, -2}).set("scores", std::vector<float>{0.5f, -1});
  w.key_value("big", 10, Bytes().number(uint64_t(1) << 40).text());
  w.tensor("m", {2, 3}, {1, 2, 3, 4, 5, 6});
  w.tensor("v", {4}, 1, std::string(8, '\1'));
  w.tensor("q", {2, 1, 32}, 8, std::string(68, '\2'));
  return w;
}

/// The message with which `bytes` are refused; fails the test where they are not, or where the
/// message does not name the file.
std::string refusal(const std::string& bytes, Code code = Code::kInvalidArgument) {
  const test::TempDir dir;
  const std::string path = dir.write("x.gguf", bytes);
  const auto file = GgufFile::open(path);
  REQUIRE_FALSE(file.ok());
  REQUIRE(file.status().code() == code);
  REQUIRE_THAT(file.status().message(), Contains(path));
  return file.status().message();
}

GgufWriter one_tensor(const std::vector<uint64_t>& shape, uint32_t type, uint64_t offset) {
  GgufWriter w;
  return w.entry("t", shape, type, offset);
}

template <class T>
std::string getting_fails(const GgufFile& file, const char* key) {
  const auto value = file.get<T>(key);
  REQUIRE_FALSE(value.ok());
  REQUIRE_THAT(value.status().message(), Contains(file.path()) && Contains(key));
  return value.status().message();
}

}  // namespace

TEST_CASE("a valid GGUF file gives its metadata and tensors", "[io][gguf]") {
  const test::TempDir dir;
  auto opened = GgufFile::open(dir.write("x.gguf", valid().file()));
  REQUIRE(opened.ok());
  const GgufFile file = *std::move(opened);

  CHECK(*file.get<std::string_view>("general.architecture") == "llama");
  CHECK(*file.get<std::string_view>("empty") == "");
  CHECK(*file.get<int64_t>("count") == 7);
  CHECK(*file.get<int64_t>("big") == int64_t(1) << 40);
  CHECK(*file.get<double>("eps") == 0.5);
  CHECK(*file.get<double>("precise") == 0.25);
  CHECK(*file.get<bool>("flag"));
  CHECK(*file.get<std::vector<std::string_view>>("names") ==
        std::vector<std::string_view>{"a", "", "\xff"});
  CHECK(*file.get<std::vector<int32_t>>("types") == std::vector<int32_t>{1, -2});
  CHECK(*file.get<std::vector<float>>("scores") == std::vector<float>{0.5f, -1});
  CHECK_FALSE(file.get_optional<int64_t>("absent")->has_value());

  REQUIRE(file.tensors().size() == 3);
  const GgufTensor* m = file.find_tensor("m");
  REQUIRE(m != nullptr);
  CHECK(m->dims() == std::vector<int64_t>{2, 3});
  CHECK(m->type->name == "f32");
  CHECK(m->bytes == 24);
  float last = 0;
  std::memcpy(&last, m->data + 20, 4);
  CHECK(last == 6);
  const GgufTensor* q = file.find_tensor("q");
  REQUIRE(q != nullptr);
  CHECK(q->dims() == std::vector<int64_t>{2, 1, 32});
  CHECK(q->bytes == 68);
  CHECK(q->data[67] == std::byte(2));
  CHECK(file.find_tensor("absent") == nullptr);
}

TEST_CASE("a metadata value of another type is refused by name", "[io][gguf]") {
  const test::TempDir dir;
  GgufWriter w = valid();
  w.key_value("huge", 10, Bytes().number(~uint64_t(0)).text());
  w.set("inf", std::numeric_limits<float>::infinity());
  const auto file = GgufFile::open(dir.write("x.gguf", w.file()));
  REQUIRE(file.ok());
  CHECK(file->get<int64_t>("absent").status().code() == Code::kNotFound);
  CHECK_THAT(getting_fails<int64_t>(*file, "absent"), Contains("lacks the key"));
  CHECK_THAT(getting_fails<int64_t>(*file, "eps"),
             Contains("must be an integer") && Contains("is f32"));
  CHECK_THAT(getting_fails<int64_t>(*file, "types"), Contains("is an array of i32"));
  CHECK_THAT(getting_fails<int64_t>(*file, "huge"), Contains("below 2^63"));
  CHECK_THAT(getting_fails<double>(*file, "count"), Contains("must be a finite float"));
  CHECK_THAT(getting_fails<double>(*file, "inf"), Contains("finite"));
  CHECK_THAT(getting_fails<bool>(*file, "count"), Contains("must be a boolean"));
  CHECK_THAT(getting_fails<std::string_view>(*file, "names"), Contains("must be a string"));
  CHECK_THAT(getting_fails<std::vector<float>>(*file, "types"), Contains("an array of floats"));
  CHECK_THAT(getting_fails<std::vector<int32_t>>(*file, "scores"), Contains("integers"));
  CHECK_THAT(getting_fails<std::vector<bool>>(*file, "types"), Contains("an array of booleans"));
  CHECK_THAT(getting_fails<std::vector<std::string_view>>(*file, "flag"), Contains("is bool"));
}

TEST_CASE("GGUF preambles that are not ours are refused", "[io][gguf]") {
  CHECK_THAT(refusal(""), Contains("does not begin with 'GGUF'"));
  CHECK_THAT(refusal("GGML1234"), Contains("does not begin with 'GGUF'"));
  CHECK_THAT(refusal("GGUF\3"), Contains("the file ends at 5"));
  GgufWriter w;
  CHECK(GgufFile::open(test::TempDir().write("x", w.file())).ok());
  w.version = 1;
  CHECK_THAT(refusal(w.file(), Code::kUnimplemented), Contains("version 1"));
  w.version = 0x03000000;
  CHECK_THAT(refusal(w.file(), Code::kUnimplemented), Contains("big-endian"));
  w.version = 4;
  CHECK_THAT(refusal(w.file()), Contains("version 4"));
  w.version = 2;
  CHECK(GgufFile::open(test::TempDir().write("x", w.file())).ok());
  w.num_keys = uint64_t(1) << 60;
  CHECK_THAT(refusal(w.file()), Contains("1152921504606846976 keys"));
  w.num_keys = 0;
  w.num_tensors = uint64_t(1) << 60;
  CHECK_THAT(refusal(w.file()), Contains("1152921504606846976 tensors"));
}

TEST_CASE("GGUF metadata that is wrong is refused by key", "[io][gguf]") {
  const auto with = [](uint32_t type, const std::string& value) {
    GgufWriter w;
    return refusal(w.key_value("k", type, value).file());
  };
  CHECK_THAT(with(13, ""), Contains("\"k\"") && Contains("unknown value type 13"));
  CHECK_THAT(with(7, "\2"), Contains("\"k\"") && Contains("boolean 2"));
  CHECK_THAT(with(8, Bytes().number(~uint64_t(0)).text()), Contains("18446744073709551615 bytes"));
  const auto array = [](uint32_t type, uint64_t count) {
    return Bytes().number(type).number(count).text();
  };
  CHECK_THAT(with(9, array(9, 1)), Contains("\"k\"") && Contains("array of arrays"));
  CHECK_THAT(with(9, array(99, 1)), Contains("unknown value type 99"));
  CHECK_THAT(with(9, array(12, uint64_t(1) << 61)), Contains("2305843009213693952 elements"));
  CHECK_THAT(with(9, array(8, uint64_t(1) << 61)), Contains("2305843009213693952 strings"));
  CHECK_THAT(with(9, array(8, 2) + Bytes().string("a").number(uint64_t(999)).text()),
             Contains("\"k\"") && Contains("string"));

  GgufWriter twice;
  CHECK_THAT(refusal(twice.set("k", true).set("j", true).set("k", false).file()),
             Contains("key \"k\" stands twice"));
  GgufWriter empty;
  CHECK_THAT(refusal(empty.set("", true).file()), Contains("a key is empty"));
}

TEST_CASE("GGUF tensors that are wrong are refused by name", "[io][gguf]") {
  const uint64_t huge = uint64_t(1) << 40;
  CHECK_THAT(refusal(one_tensor({}, 0, 0).file() + std::string(64, '\0')),
             Contains("\"t\"") && Contains("has 0 dimensions"));
  CHECK_THAT(refusal(one_tensor({1, 1, 1, 1, 1}, 0, 0).file()), Contains("has 5 dimensions"));
  CHECK_THAT(refusal(one_tensor({0}, 0, 0).file()), Contains("a dimension of 0"));
  CHECK_THAT(refusal(one_tensor({huge + 1}, 0, 0).file()),
             Contains("a dimension of 1099511627777"));
  CHECK_THAT(refusal(one_tensor({huge, huge}, 0, 0).file()), Contains("overflow"));
  CHECK_THAT(refusal(one_tensor({1}, 4, 0).file()), Contains("unknown tensor type 4"));
  CHECK_THAT(refusal(one_tensor({48}, 8, 0).file()),
             Contains("48 weights") && Contains("blocks of 32 (q8_0)"));
  CHECK_THAT(refusal(one_tensor({1}, 0, 16).file() + std::string(64, '\0')),
             Contains("offset 16 is not a multiple of the alignment 32"));
  CHECK_THAT(refusal(one_tensor({8}, 0, 0).file() + std::string(31, '\0')),
             Contains("offset 0 and 32 bytes leave the file's 31 data bytes"));
  CHECK_THAT(refusal(one_tensor({8}, 0, uint64_t(-32)).file()),
             Contains("offset 18446744073709551584 and 32 bytes leave"));
  CHECK(GgufFile::open(
            test::TempDir().write("x", one_tensor({8}, 0, 0).file() + std::string(32, '\0')))
            .ok());

  GgufWriter overlap;
  overlap.entry("a", {16}, 0, 0).entry("b", {8}, 0, 32);
  CHECK_THAT(refusal(overlap.file() + std::string(64, '\0')),
             Contains("\"b\"") && Contains("offset 32 lies inside the tensor before it"));
  GgufWriter twice;
  twice.entry("a", {8}, 0, 0).entry("a", {8}, 0, 32);
  CHECK_THAT(refusal(twice.file() + std::string(64, '\0')), Contains("\"a\" stands twice"));
  GgufWriter unnamed;
  CHECK_THAT(refusal(unnamed.entry("", {8}, 0, 0).file()), Contains("empty name"));
}

TEST_CASE("a GGUF alignment is a power of two within bounds", "[io][gguf]") {
  for (const uint32_t alignment : {0u, 3u, 12u, 48u, 1u << 31}) {
    GgufWriter w;
    CHECK_THAT(refusal(w.set("general.alignment", alignment).file()),
               Contains("general.alignment " + std::to_string(alignment)));
  }
  for (const uint32_t alignment : {1u, 2u, 4u, 8u, 64u}) {
    GgufWriter w;
    w.alignment = alignment;
    w.set("general.alignment", alignment).tensor("a", {1}, {1}).tensor("b", {1}, {2});
    const test::TempDir dir;
    const auto file = GgufFile::open(dir.write("x", w.file()));
    REQUIRE(file.ok());
    CHECK(file->find_tensor("b")->data - file->find_tensor("a")->data ==
          int64_t(std::max(alignment, 4u)));
    float value = 0;
    (*make_gguf_rows(*file->find_tensor("b")))->read(0, &value);
    CHECK(value == 2);
  }
}

TEST_CASE("a GGUF file cut anywhere is refused", "[io][gguf]") {
  const test::TempDir dir;
  const std::string bytes = valid().file();
  for (size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    REQUIRE_FALSE(GgufFile::open(dir.write("x", bytes.substr(0, size))).ok());
  }
}
