// Safetensors files: what a valid one holds, and that every broken one is refused by name.
#include "engine/io/safetensors.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <random>

#include "engine/io/checkpoint.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;

namespace {

/// The file of `header` (padded to 8 bytes, as writers do, unless it is to be taken as it is) and
/// data.
std::string file_of(std::string header, std::string_view data, bool pad = true) {
  while (pad && header.size() % 8 != 0) header += ' ';
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = char(header.size() >> (8 * i) & 255);
  return bytes + header + std::string(data);
}

std::string data_of(size_t size) {
  std::string data(size, '\0');
  for (size_t i = 0; i < size; ++i) data[i] = char(i + 1);
  return data;
}

const char* const kValidHeader = R"({"__metadata__":{"format":"pt"},)"
                                 R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                                 R"("none":{"dtype":"F16","shape":[0,7],"data_offsets":[24,24]},)"
                                 R"("b.c":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},)"
                                 R"("scalar":{"dtype":"U8","shape":[],"data_offsets":[32,33]}})";

std::string valid_file() {
  return file_of(kValidHeader, data_of(33));
}

/// The message with which `bytes` are refused; fails the test where they are not, or where the
/// message does not name the file.
std::string refusal(const test::TempDir& dir, const std::string& bytes) {
  const std::string path = dir.write("x.safetensors", bytes);
  const auto file = SafetensorsFile::open(path);
  REQUIRE_FALSE(file.ok());
  REQUIRE(file.status().code() == Code::kInvalidArgument);
  REQUIRE_THAT(file.status().message(), Contains(path));
  return file.status().message();
}

std::string one_tensor(const std::string& entry) {
  return R"({"weight":)" + entry + "}";
}

}  // namespace

TEST_CASE("a valid safetensors file gives its tensors and metadata", "[io][safetensors]") {
  const test::TempDir dir;
  auto file = SafetensorsFile::open(dir.write("x.safetensors", valid_file()));
  REQUIRE(file.ok());
  const SafetensorsFile moved = *std::move(file);
  REQUIRE(moved.tensors().size() == 4);
  REQUIRE(moved.metadata().at("format") == "pt");

  const TensorView* a = moved.find("a");
  REQUIRE(a != nullptr);
  REQUIRE(a->dtype == DType::kF32);
  REQUIRE(a->rank == 2);
  REQUIRE(a->shape[0] == 2);
  REQUIRE(a->shape[1] == 3);
  REQUIRE(a->shape[2] == 1);
  REQUIRE(std::memcmp(a->data, data_of(33).data(), 24) == 0);
  REQUIRE(*static_cast<const uint8_t*>(moved.find("b.c")->data) == 25);
  REQUIRE(moved.find("none")->num_elements() == 0);
  REQUIRE(moved.find("scalar")->rank == 0);
  REQUIRE(moved.find("scalar")->num_elements() == 1);
  REQUIRE(*static_cast<const uint8_t*>(moved.find("scalar")->data) == 33);
  REQUIRE(moved.find("c") == nullptr);
}

TEST_CASE("a file without tensors is valid", "[io][safetensors]") {
  const test::TempDir dir;
  const auto file = SafetensorsFile::open(dir.write("x", file_of("{}", "")));
  REQUIRE(file.ok());
  REQUIRE(file->tensors().empty());
}

TEST_CASE("a safetensors file cut at any byte is refused", "[io][safetensors][hostile]") {
  const test::TempDir dir;
  const std::string whole = valid_file();
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    refusal(dir, whole.substr(0, size));
  }
  REQUIRE_THAT(refusal(dir, whole + "x"), Contains("33") && Contains("34"));
}

TEST_CASE("a lying header length is refused", "[io][safetensors][hostile]") {
  const test::TempDir dir;
  for (const uint64_t length : {uint64_t(0), uint64_t(1), uint64_t(200), uint64_t(100'000'000),
                                uint64_t(100'000'001), uint64_t(1) << 63, ~uint64_t(0)}) {
    CAPTURE(length);
    std::string bytes = valid_file();
    std::memcpy(bytes.data(), &length, 8);
    const std::string message = refusal(dir, bytes);
    if (length > 1000) REQUIRE_THAT(message, Contains(std::to_string(length)));
  }
}

TEST_CASE("every broken header is refused with what is wrong", "[io][safetensors][hostile]") {
  const test::TempDir dir;
  struct Case {
    const char *header, *named;
    size_t data_bytes = 8;
  };
  const std::string big = "9223372036854775807", too_big = "9223372036854775808";
  const std::string overflow =
      one_tensor(R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]})");
  const std::string bytes_overflow =
      one_tensor(R"({"dtype":"F32","shape":[)" + big + R"(],"data_offsets":[0,8]})");
  const std::string wide =
      one_tensor(R"({"dtype":"U8","shape":[)" + too_big + R"(],"data_offsets":[0,8]})");
  const std::string deep =
      R"({"weight":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  const Case cases[] = {
      {"", "syntax error"},
      {"[]", "not a JSON object"},
      {"null", "not a JSON object"},
      {R"({"a":1)", "syntax error"},
      {R"({} {})", "syntax error"},
      {R"({"weight":7})", "weight"},
      {R"({"__metadata__":7})", "__metadata__"},
      {R"({"__metadata__":{"k":7}})", "\"k\" is not a string"},
      {R"({"__metadata__":{"k":"1","k":"2"}})", "\"k\" stands twice"},
      {R"({"weight":{"shape":[8],"data_offsets":[0,8]}})", "lacks \"dtype\""},
      {R"({"weight":{"dtype":"U8","data_offsets":[0,8]}})", "lacks \"shape\""},
      {R"({"weight":{"dtype":"U8","shape":[8]}})", "lacks \"data_offsets\""},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"more":1}})", "\"more\""},
      {R"({"weight":{"dtype":8,"shape":[8],"data_offsets":[0,8]}})", "dtype"},
      {R"({"weight":{"dtype":"F9","shape":[8],"data_offsets":[0,8]}})", "\"F9\""},
      {R"({"weight":{"dtype":"U32","shape":[8],"data_offsets":[0,8]}})", "needs 32"},
      {R"({"weight":{"dtype":"F4","shape":[8],"data_offsets":[0,8]}})", "needs 4"},
      {R"({"weight":{"dtype":"U8","shape":8,"data_offsets":[0,8]}})", "shape"},
      {R"({"weight":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}})", "-8"},
      {R"({"weight":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}})", "8.0"},
      {R"({"weight":{"dtype":"U8","shape":["8"],"data_offsets":[0,8]}})", "\"8\""},
      {R"({"weight":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,8],"data_offsets":[0,8]}})", "rank 9"},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":8}})", "data_offsets"},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":[0]}})", "data_offsets"},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":[0,4,8]}})", "data_offsets"},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":[-8,0]}})", "data_offsets"},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":[0,8.0]}})", "data_offsets"},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}})", "not in order"},
      {R"({"weight":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", "[0,9]"},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":[18446744073709551608,0]}})", "order"},
      {R"({"weight":{"dtype":"U8","shape":[8],"data_offsets":[8,18446744073709551615]}})",
       "behind"},
      {R"({"weight":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}})", "needs 16"},
      {R"({"weight":{"dtype":"F32","shape":[],"data_offsets":[0,8]}})", "needs 4"},
      {overflow.c_str(), "overflows"},
      {bytes_overflow.c_str(), "overflows"},
      {wide.c_str(), too_big.c_str()},
      {R"({"weight":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})", "gap"},
      {R"({"weight":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
       "end at data offset 4 of 8"},
      {R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
       R"("weight":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
       "overlap"},
      {R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},)"
       R"("weight":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
       "overlap"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
       R"("weight":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
       "gap"},
      {R"({"weight":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
       R"("weight":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
       "\"weight\" stands twice"},
      {R"({"weight":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
       "\"dtype\" stands twice"},
      {R"({"":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", "empty name"},
      {"{\"we\xff\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", "UTF-8"},
      {"{\"we\xc0\xaf\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", "UTF-8"},
      {R"({"\ud800":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", "surrogate"},
      {deep.c_str(), "deeper"},
  };
  for (const Case& c : cases) {
    CAPTURE(std::string(c.header).substr(0, 200), c.named);
    REQUIRE_THAT(refusal(dir, file_of(c.header, data_of(c.data_bytes))), Contains(c.named));
  }
}

TEST_CASE("of more than four dimensions the first are one", "[io][safetensors]") {
  const test::TempDir dir;
  const auto file = SafetensorsFile::open(dir.write(
      "x", file_of(one_tensor(R"({"dtype":"U8","shape":[2,3,1,4,5],"data_offsets":[0,120]})"),
                   data_of(120))));
  REQUIRE(file.ok());
  const TensorView* view = file->find("weight");
  REQUIRE(view->rank == 4);
  REQUIRE(std::vector<int64_t>(view->shape, view->shape + 4) == std::vector<int64_t>{6, 1, 4, 5});
}

TEST_CASE("tensors of types that nothing here computes with do no harm", "[io][safetensors]") {
  const std::pair<const char*, int> types[] = {
      {"U16", 16}, {"U32", 32},    {"U64", 64},    {"C64", 64},    {"F8_E4M3", 8},
      {"F4", 4},   {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}};
  for (const auto& [type, bits] : types) {
    CAPTURE(type);
    const size_t bytes = size_t(bits);  // of 8 elements
    const std::string end = std::to_string(4 + bytes);
    const test::TempDir dir;
    dir.write("model.safetensors",
              file_of(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"x":{"dtype":")" +
                          std::string(type) + R"(","shape":[2,4],"data_offsets":[4,)" + end + "]}}",
                      data_of(4 + bytes)));
    const auto checkpoint = Checkpoint::open(dir.path());
    REQUIRE(checkpoint.ok());
    REQUIRE(checkpoint->get("a", {2}).ok());
    REQUIRE(checkpoint->get("x", {2, 4}).status().message() ==
            dir.path() + ": tensor \"x\" is " + type + ", must be f32, bf16 or f16");
    const std::vector<TensorInfo> all = checkpoint->tensors();
    REQUIRE(all.size() == 2);
    REQUIRE(all[1].dtype == type);
    REQUIRE(all[1].shape == std::vector<int64_t>{2, 4});
    REQUIRE(all[1].bytes == bytes);
  }
}

TEST_CASE("data may stand anywhere, aligned or not", "[io][safetensors]") {
  const test::TempDir dir;
  const std::string header = one_tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})");
  for (size_t spaces = 0; spaces < 8; ++spaces) {
    const std::string padded = header + std::string(spaces, ' ');
    const auto file = SafetensorsFile::open(dir.write("x", file_of(padded, data_of(8), false)));
    REQUIRE(file.ok());
    REQUIRE(std::memcmp(file->find("weight")->data, data_of(8).data(), 8) == 0);
  }
}

TEST_CASE("a Git LFS pointer says that it is one", "[io][lfs]") {
  const test::TempDir dir;
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\n"
      "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
  const std::string expected =
      ": is a Git LFS pointer, not the file of 12345 bytes that it stands for; run 'git lfs pull' "
      "in its repository to get that";
  REQUIRE_THAT(refusal(dir, pointer), Contains(expected));
  const std::string json = dir.write("tokenizer.json", pointer);
  REQUIRE(read_text_file(json).status().message() == json + expected);
  // Git on Windows writes other line ends, and the program has had other names.
  for (const std::string end : {"\n", "\r\n"})
    for (const std::string version :
         {"https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1",
          "http://git-media.io/v/2"}) {
      const std::string path = dir.write(
          "f", "version " + version + end + "oid sha256:4d7a2146" + end + "size 12345" + end);
      REQUIRE(read_text_file(path).status().message() == path + expected);
    }
  REQUIRE(read_text_file(dir.write("story", "version https://git-lfs is new")).ok());
  REQUIRE(read_text_file(dir.write("long", pointer + std::string(2000, 'x'))).ok());
}

TEST_CASE("a link to nothing is not the same as no file", "[io]") {
  const test::TempDir dir;
  const std::string link = dir.path() + "/tokenizer.json";
  std::filesystem::create_symlink("../blobs/4d7a", link);
  const std::string expected = link + ": is a link to ../blobs/4d7a, which does not exist";
  for (const Status& status : {read_text_file(link).status(), MappedFile::open(link).status()}) {
    REQUIRE(status.code() == Code::kInvalidArgument);
    REQUIRE(status.message() == expected);
  }
}

TEST_CASE("messages of refused files are printable", "[io][safetensors][hostile]") {
  const test::TempDir dir;
  const std::string name = std::string(5000, 'n') + "\\u0000\\n\xc3\xb6";
  const std::string message = refusal(
      dir,
      file_of("{\"" + name + R"(":{"dtype":"?","shape":[8],"data_offsets":[0,8]}})", data_of(8)));
  REQUIRE(message.size() < 400);
  for (const char c : message) REQUIRE((c >= 0x20 && c < 0x7f));
}

TEST_CASE("missing and odd files", "[io][safetensors]") {
  const test::TempDir dir;
  const auto missing = SafetensorsFile::open(dir.path() + "/none.safetensors");
  REQUIRE(missing.status().code() == Code::kNotFound);
  REQUIRE_THAT(missing.status().message(), Contains("none.safetensors"));
  REQUIRE(SafetensorsFile::open(dir.path()).status().code() == Code::kInvalidArgument);
}

TEST_CASE("mutated safetensors files never crash, and what is accepted lies within the file",
          "[io][safetensors][hostile]") {
  const test::TempDir dir;
  const std::string whole = valid_file();
  std::mt19937 rng(20260102);
  const auto below = [&](size_t n) { return size_t(rng() % n); };
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string bytes = whole;
    for (size_t flips = below(4); flips > 0; --flips) bytes[below(bytes.size())] = char(rng());
    if (below(4) == 0) bytes.resize(below(bytes.size() + 1));
    if (below(4) == 0) bytes.insert(below(bytes.size() + 1), 1, "0,[]{}\":9"[below(9)]);
    const auto file = SafetensorsFile::open(dir.write("x", bytes));
    if (!file.ok()) continue;
    ++accepted;
    size_t sum = 0;  // reads every byte, so that a sanitizer sees a view that leaves the mapping
    uint64_t total = 0;
    for (const auto& [name, view] : file->tensors()) {
      const auto size = size_t(view.num_elements()) * size_t(dtype_bytes(view.dtype));
      const auto* data = static_cast<const uint8_t*>(view.data);
      for (size_t i = 0; i < size; ++i) sum += data[i];
      total += size;
    }
    REQUIRE(total <= bytes.size());
    REQUIRE(sum <= 255 * total);
  }
  REQUIRE(accepted > 100);  // data bytes may be anything
}
