// What a request must keep to count as good.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"

namespace tern::bench {

/// The latencies of one completed request, in seconds.
struct Latencies {
  double ttft_s = 0;
  double tpot_s = 0;  ///< 0 where it gave one token
  double e2el_s = 0;
};

/// Limits of one request, in seconds; unset: none.
struct ServiceLevel {
  std::optional<double> ttft_s, tpot_s, e2el_s;

  bool empty() const { return !ttft_s && !tpot_s && !e2el_s; }

  /// Whether a completed request with these keeps all of them.
  bool is_met(const Latencies& of) const;
};

/// "200ms", "1.5s", "2m", "50us" in seconds; over 0. kInvalidArgument otherwise.
Result<double> parse_seconds(const std::string& text);

/// "ttft=200ms,tpot=50ms,e2el=2s", each at most once. kInvalidArgument names the part.
Result<ServiceLevel> parse_slo(const std::string& text);

}  // namespace tern::bench
