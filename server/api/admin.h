// What operators ask of the process itself, and the engine in words.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/serve/engine.h"

namespace tern {

/// One key that a reload found changed.
struct ConfigChange {
  std::string key, old_value, new_value;
  bool needs_restart = false;  ///< not applied: the key counts at start only
};

/// Given by the daemon. Any thread; no call waits for a step of the engine longer than it takes.
struct AdminHandlers {
  /// Begins to drain, as SIGTERM does; the process ends when it is done. Without a timeout the
  /// configured one counts; while it drains, an earlier end is taken.
  std::function<void(std::optional<Seconds> timeout)> drain;
  /// Reads the configuration again. A mistake in it changes nothing.
  std::function<Result<std::vector<ConfigChange>>()> reload;
};

/// Statistics and live requests, a line each: what a watchdog leaves behind. Never waits for the
/// engine.
std::string describe_engine(const Engine& engine);

}  // namespace tern
