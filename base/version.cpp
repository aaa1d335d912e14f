#include "base/version.h"

#include <string_view>

#include "commit.h"  // by cmake/commit.cmake

namespace tern {

std::string version_with_commit() {
  constexpr std::string_view kCommit = TERN_COMMIT;
  std::string version = TERN_RELEASE;
  if (!kCommit.empty()) version.append(" (").append(kCommit).append(")");
  return version;
}

}  // namespace tern
