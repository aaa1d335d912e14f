#include "bench/support/slo.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tern::bench {

bool ServiceLevel::is_met(const Latencies& of) const {
  return !(ttft_s && of.ttft_s > *ttft_s) && !(tpot_s && of.tpot_s > *tpot_s) &&
         !(e2el_s && of.e2el_s > *e2el_s);
}

Result<double> parse_seconds(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(rest, size_t(end - rest));
  const double factor = unit == "us"   ? 1e-6
                        : unit == "ms" ? 1e-3
                        : unit == "s"  ? 1
                        : unit == "m"  ? 60
                                       : 0;
  if (error != std::errc() || factor == 0 || !std::isfinite(value) || value <= 0)
    return invalid_argument("must be a time over 0 with its unit (us, ms, s, m), is '" + text +
                            "'");
  return value * factor;
}

Result<ServiceLevel> parse_slo(const std::string& text) {
  ServiceLevel slo;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    const size_t equals = std::min(part.find('='), part.size());
    const std::string name = part.substr(0, equals);
    std::optional<double>* limit = name == "ttft"   ? &slo.ttft_s
                                   : name == "tpot" ? &slo.tpot_s
                                   : name == "e2el" ? &slo.e2el_s
                                                    : nullptr;
    if (limit == nullptr || equals == part.size())
      return invalid_argument("must be ttft=TIME, tpot=TIME or e2el=TIME, is '" + part + "'");
    if (*limit) return invalid_argument(name + " is given twice");
    Result<double> seconds = parse_seconds(part.substr(equals + 1));
    if (!seconds.ok()) return seconds.status().with_context(name);
    *limit = *seconds;
  }
  return slo;
}

}  // namespace tern::bench
