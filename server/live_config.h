// The configuration in force, and how it changes while the daemon runs.
#pragma once

#include <functional>
#include <vector>

#include "base/mutex.h"
#include "server/api/admin.h"
#include "server/config.h"

namespace tern {

/// Any thread.
class LiveConfig {
 public:
  using Read = std::function<Result<Config>()>;  ///< file, --set and shorthands, checked
  /// Puts `next` into force as far as it is reloadable; a failure leaves the old one in force.
  using Apply = std::function<Status(const Config& next)>;

  LiveConfig(Config config, Read read) : config_(std::move(config)), read_(std::move(read)) {}

  Config get() const;

  /// Reads again and applies what changed. Keys that count at start only keep their values and are
  /// reported as needing a restart. Any mistake, of a file that is gone, too: CONFIG_INVALID, and
  /// nothing changes. Writes a line a change to the log, also where the log's level goes back to
  /// what the configuration says.
  Result<std::vector<ConfigChange>> reload(const Apply& apply);

 private:
  mutable Mutex mutex_;  // held while applying: reloads come one by one
  Config config_ TERN_GUARDED_BY(mutex_);
  const Read read_;
};

}  // namespace tern
