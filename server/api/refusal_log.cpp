#include "server/api/refusal_log.h"

#include "base/code_name.h"
#include "base/log_event.h"

namespace tern {
namespace {

constexpr uint64_t kMostLines = 50;  // a window
constexpr Seconds kWindow{1};
constexpr size_t kMostFieldBytes = 128, kMostPathBytes = 256;  // clients may name what is not there

}  // namespace

void RefusalLog::write(const ApiError& error, const Line& line, TimePoint now) {
  if (!may_write(error.reason, now)) return;
  const std::string_view id = line.id.empty() ? line.caller.trace_id : line.id;
  LogEvent event("refused");
  event.text("id", id.empty() ? "-" : id)
      .text("peer", line.caller.peer)
      .text("transport", line.transport)
      .text("reason", error.reason)
      .text("field", std::string_view(error.field).substr(0, kMostFieldBytes))
      .text("code", code_name(error.code));
  if (line.http_status != 0) event.number("status", int64_t{line.http_status});
  event.text_if_any("path", line.path.substr(0, kMostPathBytes))
      .text_if_any("traceparent", line.caller.traceparent)
      .info();
}

bool RefusalLog::may_write(const std::string& reason, TimePoint now) {
  const MutexLock lock(mutex_);
  for (auto& [of, window] : windows_) {
    if (now - window.begin < to_duration(kWindow)) continue;
    if (window.num_more > 0)
      LogEvent("refused more alike")
          .text("reason", of)
          .number("count", static_cast<int64_t>(window.num_more))
          .info();
    window = {.begin = now};
  }
  const auto [found, is_new] = windows_.try_emplace(reason, Window{.begin = now});
  Window& window = found->second;
  if (window.num_lines++ < kMostLines) return true;
  ++window.num_more;
  return false;
}

}  // namespace tern
