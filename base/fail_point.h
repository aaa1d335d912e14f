// Faults on demand: named places where tests delay, hang or fail a running daemon.
#pragma once

#include <atomic>
#include <optional>
#include <string_view>

#include "base/status.h"

namespace tern {

/// Arms fail points from "NAME=ACTION[,NAME=ACTION…]" with ACTION one of
///   delay:MS    wait that many milliseconds, then go on
///   hang        never go on
///   fail:CODE:REASON  fail with the canonical code of that number and the reason
/// and behind it, optionally, @N (skip the first N hits) and *N (act N times, then never again).
/// kInvalidArgument says what is wrong. Before threads start; nothing is armed by default.
Status arm_fail_points(std::string_view spec);

/// The variable of the environment from which ternd arms them.
inline constexpr const char* kFailPointsVariable = "TERN_FAIL_POINTS";

/// What arm_fail_points() would say of `spec`; arms nothing.
Status check_fail_points(std::string_view spec);

namespace fail_point_detail {
inline std::atomic<bool> armed{false};
std::optional<Status> hit(std::string_view name);
}  // namespace fail_point_detail

/// A place that can fail: costs one load where nothing is armed. Any thread. Returns the failure
/// that is to happen here.
inline std::optional<Status> fail_point(std::string_view name) {
  if (!fail_point_detail::armed.load(std::memory_order_relaxed)) return {};
  return fail_point_detail::hit(name);
}

}  // namespace tern
