// The control groups that limit this process.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tern {

struct ControlGroup {
  std::string directory;  ///< where its files are
  bool is_v1 = false;     ///< of version 1, whose files have other names
};

/// Lists the control groups (version 1 or 2) that limit this process by one controller ("memory",
/// "cpu"): its own and all those above it, innermost first. Reads /proc/self/cgroup below `root`.
/// In a container its paths may be the host's, so not every directory need exist.
std::vector<ControlGroup> control_groups(const std::string& root, std::string_view controller);

}  // namespace tern
