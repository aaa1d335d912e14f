#include "server/live_config.h"

#include "base/log.h"
#include "server/config_schema.h"

namespace tern {

Config LiveConfig::get() const {
  const MutexLock lock(mutex_);
  return config_;
}

Result<std::vector<ConfigChange>> LiveConfig::reload(const Apply& apply) {
  const MutexLock lock(mutex_);
  Result<Config> result = read_();
  if (!result.ok())
    return Status(Code::kInvalidArgument, result.status().message(), {.reason = "CONFIG_INVALID"});
  Config read = *std::move(result);
  config_.log_level = log_level();  // an operator may have changed it
  Config next = config_;
  std::vector<ConfigChange> changes;
  for (const ConfigKey& key : config_keys()) {
    const std::string old_value = print_value(key.slot(config_));
    const std::string new_value = print_value(key.slot(read));
    if (old_value == new_value) continue;
    changes.push_back({std::string(key.path), old_value, new_value, !key.reloadable});
    if (key.reloadable) copy_value(key.slot(read), key.slot(next));
  }
  TERN_TRY(apply(next));
  config_ = std::move(next);
  for (const ConfigChange& change : changes)
    spdlog::info("reload: {} {} -> {}{}", change.key, change.old_value, change.new_value,
                 change.needs_restart ? " needs a restart" : "");
  if (changes.empty()) spdlog::info("reload: nothing has changed");
  return changes;
}

}  // namespace tern
