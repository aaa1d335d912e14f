// Where operators reach the daemon.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace tern {

/// The address that `setting` means: "auto" is "unix:DIR/ternd-HOST-PORT.sock" with host
/// and port of listen[0], so that servers on one port of different addresses keep apart (for a unix socket its path + ".admin"). DIR, made with mode 0700, is
/// $RUNTIME_DIRECTORY (systemd's), else $XDG_RUNTIME_DIR/tern, else /tmp/tern-UID; it must belong
/// to this user. kUnavailable where it cannot be made or is not ours. All else stays as it is.
Result<std::string> resolve_admin_address(const std::string& setting,
                                          const std::vector<std::string>& listen);

}  // namespace tern
