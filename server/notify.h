// What systemd wants to hear of a service.
#pragma once

#include <string>

namespace tern {

/// Sends `state` ("READY=1", "STOPPING=1", "STATUS=…") to $NOTIFY_SOCKET (sd_notify(3)); nothing
/// where there is none. Any thread.
void notify_service_manager(const std::string& state);

/// Sends that a reload begins, with the monotonic time that Type=notify-reload asks for; READY=1
/// ends it. Any thread.
void notify_reloading();

}  // namespace tern
