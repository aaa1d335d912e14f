// The lines that refused requests leave in the log.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/api/api_error.h"
#include "server/api/caller.h"

namespace tern {

/// Transports write here when they have refused a request, with the field as their clients name it.
/// A line a refusal; of many alike within a second the first 50, then how many more there were: a
/// flood of them leaves room for other lines. Any thread.
class RefusalLog {
 public:
  /// What a line shows besides the error's reason, field and code. No prompt text.
  struct Line {
    const Caller& caller;
    std::string_view id;         ///< empty: the caller's trace_id, if any
    std::string_view transport;  ///< "grpc", "http"
    std::string_view path;       ///< of a request that is for no model; or empty
    int http_status = 0;         ///< 0: none
  };

  void write(const ApiError& error, const Line& line, TimePoint now);

 private:
  struct Window {
    TimePoint begin{};
    uint64_t num_lines = 0, num_more = 0;
  };

  bool may_write(const std::string& reason, TimePoint now);

  Mutex mutex_;
  // By reason, of which there are few.
  std::map<std::string, Window> windows_ TERN_GUARDED_BY(mutex_);
};

}  // namespace tern
