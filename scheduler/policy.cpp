#include "scheduler/policy.h"

#include <string>

namespace tern {

std::unique_ptr<Policy> make_fcfs(const PolicyConfig& config);
std::unique_ptr<Policy> make_priority(const PolicyConfig& config);

namespace {

struct Row {
  std::string_view name;
  std::unique_ptr<Policy> (*make)(const PolicyConfig& config);
};

constexpr Row kPolicies[] = {
    {"fcfs", make_fcfs},
    {"priority", make_priority},
};

}  // namespace

Result<std::unique_ptr<Policy>> make_policy(const PolicyConfig& config) {
  std::string known;
  for (const Row& row : kPolicies) {
    if (row.name == config.name) return row.make(config);
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  return invalid_argument("policy.name: '" + config.name + "' is not one of " + known);
}

std::vector<std::string_view> policy_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kPolicies) names.push_back(row.name);
  return names;
}

}  // namespace tern
