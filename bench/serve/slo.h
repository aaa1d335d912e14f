// What a request must keep to count as good.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "bench/serve/request.h"

namespace tern::bench {

/// Limits of one request, in seconds; unset: none.
struct ServiceLevel {
  std::optional<double> ttft_s, tpot_s, e2el_s;

  bool empty() const { return !ttft_s && !tpot_s && !e2el_s; }

  /// A completed request that keeps all of them. A request of one token keeps any tpot.
  bool is_met(const RequestRecord& record) const;
};

/// "200ms", "1.5s", "2m", "50us" in seconds; over 0. kInvalidArgument otherwise.
Result<double> parse_seconds(const std::string& text);

/// "ttft=200ms,tpot=50ms,e2el=2s", each at most once. kInvalidArgument names the part.
Result<ServiceLevel> parse_slo(const std::string& text);

}  // namespace tern::bench
