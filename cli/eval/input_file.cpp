#include "cli/eval/input_file.h"

#include <filesystem>

#include "cli/support/output.h"
#include "engine/io/mapped_file.h"

namespace tern {

Result<std::string> read_input(const std::string& path) {
  std::error_code ignored;
  // Of a file that stands in for another's contents (Git LFS) the first tells so.
  return std::filesystem::is_regular_file(path, ignored) ? read_text_file(path) : read_text(path);
}

}  // namespace tern
