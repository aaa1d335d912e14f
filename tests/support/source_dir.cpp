#include "tests/support/source_dir.h"

namespace tern {

std::string source_path(std::string_view relative) {
  return std::string(TERN_SOURCE_DIR "/").append(relative);
}

std::string plugin_folder() {
  return TERN_BINARY_DIR;
}

}  // namespace tern
