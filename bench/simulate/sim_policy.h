// The policies that a simulation knows: those of the scheduler's own table, and its peers'.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "scheduler/scheduler.h"

namespace tern::bench {

struct PeerPolicy;

/// A policy as it was asked for.
struct SimPolicy {
  std::string label;                 ///< the text that asked for it
  PolicyConfig config;               ///< of tern's own: name and settings
  const PeerPolicy* peer = nullptr;  ///< of another engine's

  /// Whether it reads what a ranker says (PolicyInfo::reads_scores).
  bool reads_scores() const;

  /// Whether it does not order at all without what a ranker says.
  bool needs_ranker() const { return peer == nullptr && config.name == "pars"; }

  /// Whether it may see the true lengths of answers.
  bool is_oracle() const { return peer == nullptr && config.name == "oracle"; }
};

/// Reads "NAME" or "NAME:key=value:key=value", NAME being a row of policies() or of
/// peer_policies(), keys those of the policy. kInvalidArgument names what is wrong and lists what
/// exists.
Result<SimPolicy> parse_sim_policy(const std::string& text);

/// Sets a key of the policy. kInvalidArgument where it has none of that name.
Status set_policy_key(const std::string& name, double value, SimPolicy* policy);

/// Whether the key takes whole numbers alone.
bool is_whole_policy_key(std::string_view name);

/// The scheduler with this policy; `config` says everything besides, but that peers preempt without
/// a bound. kInvalidArgument where the
/// policy refuses its settings.
Result<std::unique_ptr<Scheduler>> make_scheduler(const SimPolicy& policy, SchedulerConfig config);

/// The names of all policies, ours first.
std::vector<std::string> sim_policy_names();

}  // namespace tern::bench
