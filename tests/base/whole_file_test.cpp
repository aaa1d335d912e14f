// Files as people name them: regular ones, pipes, directories and none.
#include "base/whole_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <thread>

#include "tests/support/temp_dir.h"

using namespace tern;

TEST_CASE("a file is read whole, whatever it is", "[whole_file]") {
  const test::TempDir dir;
  const std::string text = std::string("a\0b\r\n", 5) + std::string(100'000, 'x');
  CHECK(*read_whole_file(dir.write("text", text)) == text);
  CHECK(read_whole_file(dir.write("empty", ""))->empty());
  CHECK(read_whole_file("/dev/null")->empty());
  const std::string pipe = dir.path() + "/pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe, std::ios::binary) << text; });
  CHECK(*read_whole_file(pipe) == text);
  writer.join();
}

TEST_CASE("what cannot be read is named with its reason", "[whole_file]") {
  const test::TempDir dir;
  const auto why = [](const std::string& path, Code code) {
    const Status status = read_whole_file(path).status();
    CHECK(status.code() == code);
    const std::string begin = "cannot read " + path + ": ";
    REQUIRE(status.message().starts_with(begin));
    return status.message().substr(begin.size());
  };
  CHECK(why(dir.path(), Code::kInvalidArgument) == "it is a directory");
  CHECK(why(dir.path() + "/none", Code::kNotFound) == "No such file or directory");
  CHECK(why(dir.write("file", "") + "/x", Code::kNotFound) == "Not a directory");
}
