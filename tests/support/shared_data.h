// Where the test data of other people lies: outside the project, and perhaps not there at all.
#pragma once

#include <cstdlib>
#include "tests/support/source_dir.h"
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

namespace tern::test {

/// `relative` below the folder of shared data: $TERN_SHARED_DIR, or `shared` beside the source
/// tree. Where it is absent: nothing, after one line that says which test is skipped for lack of
/// what.
inline std::optional<std::string> shared_data(std::string_view relative, std::string_view test) {
  const char* variable = std::getenv("TERN_SHARED_DIR");
  const std::string root = variable && *variable ? variable : source_path("../shared");
  const std::string path = root + "/" + std::string(relative);
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return path;
  std::cout << "SKIPPED " << test << ": no " << path << " (set TERN_SHARED_DIR)" << std::endl;
  return std::nullopt;
}

}  // namespace tern::test
