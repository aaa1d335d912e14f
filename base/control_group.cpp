#include "base/control_group.h"

#include <fstream>

namespace tern {
namespace {

void add_with_parents(const std::string& mount, std::string path, bool is_v1,
                      std::vector<ControlGroup>* out) {
  for (;; path.resize(path.rfind('/'))) {
    if (path == "/") path.clear();
    out->push_back({mount + path, is_v1});
    if (path.empty() || path[0] != '/') return;
  }
}

}  // namespace

std::vector<ControlGroup> control_groups(const std::string& root, std::string_view controller) {
  const std::string mount = root + "/sys/fs/cgroup";
  const std::string name(controller), listed = ',' + name + ',';
  std::vector<ControlGroup> groups;
  std::ifstream file(root + "/proc/self/cgroup");
  // "0::/path" (version 2), "4:cpu,cpuacct:/path" (version 1)
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    const std::string path = line.substr(second + 1);
    if (controllers == ",,")
      add_with_parents(mount, path, false, &groups);
    else if (controllers.find(listed) != std::string::npos)
      add_with_parents(mount + '/' + name, path, true, &groups);
  }
  return groups;
}

}  // namespace tern
