// What the tokenizer tests share: loading, expected vectors, and time.
#pragma once

#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "engine/io/checkpoint.h"
#include "engine/io/mapped_file.h"
#include "engine/text/tokenizer.h"
#include "tests/support/source_dir.h"

namespace tern::test {

using Ids = std::vector<int32_t>;

inline const std::string kTokenizerData = source_path("tests/data/tokenizers/");

/// The value, or a failed test with its message.
template <class T>
T expect_ok(Result<T> result) {
  INFO((result.ok() ? "" : result.status().message()));
  REQUIRE(result.ok());
  return *std::move(result);
}

inline std::unique_ptr<Tokenizer> load(const std::string& directory) {
  return expect_ok(load_tokenizer(directory));
}

inline nlohmann::json read_json(const std::string& path) {
  return expect_ok(read_json_file(path));
}

inline Ids encode(const Tokenizer& tokenizer, const std::string& text, EncodeOptions options = {}) {
  return expect_ok(tokenizer.encode(text, options));
}

inline std::string all_bytes(const Tokenizer& tokenizer, const Ids& ids) {
  std::string bytes;
  for (const int32_t id : ids) bytes += tokenizer.token_bytes(id);
  return bytes;
}

/// A folder of files that is gone with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    static int number = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("tern-text-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directories(path_);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  std::string path() const { return path_.string(); }
  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary).write(bytes.data(), int64_t(bytes.size()));
  }
  void link(const std::string& name, const std::string& target) const {
    std::filesystem::create_symlink(std::filesystem::absolute(target), path_ / name);
  }

 private:
  std::filesystem::path path_;
};

/// The tests of one of llama.cpp's vocabularies: the texts of `path`.inp have the ids of
/// `path`.out, a line each.
inline void check_ggml_vectors(const Tokenizer& tokenizer, const std::string& path) {
  const std::string texts = expect_ok(read_text_file(path + ".inp"));
  std::istringstream expected(expect_ok(read_text_file(path + ".out")));
  const std::string separator = "\n__ggml_vocab_test__\n";
  int num_texts = 0;
  for (size_t begin = 0; begin != std::string::npos; ++num_texts) {
    const size_t end = texts.find(separator, begin);
    const std::string text = texts.substr(begin, end == texts.npos ? end : end - begin);
    begin = end == texts.npos ? end : end + separator.size();
    std::string line;  // that of an empty text may be missing at the end
    std::getline(expected, line);
    std::istringstream numbers(line);
    const Ids ids{std::istream_iterator<int32_t>(numbers), {}};
    CAPTURE(path, text);
    CHECK(encode(tokenizer, text, {.add_special_tokens = false, .parse_special_tokens = false}) ==
          ids);
    CHECK(tokenizer.decode(ids, false) == text);
  }
  CHECK(num_texts >= 46);
}

/// This thread's processor time, so that a busy machine does not count.
inline double encode_seconds(const Tokenizer& tokenizer, const std::string& text) {
  const auto now = [] {
    timespec time;
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
  };
  const double start = now();
  const bool ok = tokenizer.encode(text).ok();
  const double seconds = now() - start;
  REQUIRE(ok);
  return seconds;
}

/// That ten times the text takes at most fifteen times as long, for texts of many `unit`s. A
/// neighbour on the machine can spoil a try; a quadratic encoder (ratio 100) spoils all of them.
inline void check_linear_time(const Tokenizer& tokenizer, const std::string& unit) {
  CAPTURE(unit.substr(0, 40));
  std::string small, large;
  while (small.size() < 100'000) small += unit;
  while (large.size() < 1'000'000) large += unit;
  double ratio = 1e9;
  for (int attempt = 0; attempt < 5 && ratio > 15; ++attempt) {
    double small_seconds = 1e9, large_seconds = 1e9;
    for (int i = 0; i < 3; ++i) {  // in turns, so that both find the memory as the other left it
      large_seconds = std::min(large_seconds, encode_seconds(tokenizer, large));
      small_seconds = std::min(small_seconds, encode_seconds(tokenizer, small));
    }
    ratio = std::min(ratio, large_seconds / small_seconds);
  }
  CHECK(ratio <= 15);
}

}  // namespace tern::test
