#include "bench/support/utc_time.h"

#include <charconv>
#include <cstdint>

namespace tern::bench {
namespace {

// Exactly `text.size()` digits.
bool read_digits(std::string_view text, int64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && text[0] != '-';
}

// Days since 1970-01-01 of the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible
// low-level date algorithms").
int64_t days_from_civil(int64_t y, int64_t m, int64_t d) {
  y -= m <= 2;
  const int64_t era = y / 400, yoe = y - era * 400;
  const int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

}  // namespace

std::optional<double> parse_utc(std::string_view text) {
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' ||
      (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':')
    return {};
  int64_t part[6];
  constexpr size_t kAt[6] = {0, 5, 8, 11, 14, 17};
  constexpr int64_t kMost[6] = {9999, 12, 31, 23, 59, 60};
  for (int i = 0; i < 6; ++i)
    if (!read_digits(text.substr(kAt[i], i == 0 ? 4 : 2), &part[i]) || part[i] > kMost[i])
      return {};
  if (part[1] < 1 || part[2] < 1) return {};
  double fraction = 0;
  if (text.size() > 19) {
    int64_t digits = 0;
    if (text[19] != '.' || text.size() == 20 || text.size() > 36 ||
        !read_digits(text.substr(20), &digits))
      return {};
    fraction = double(digits);
    for (size_t i = 20; i < text.size(); ++i) fraction /= 10;
  }
  return double(days_from_civil(part[0], part[1], part[2]) * 86400 + part[3] * 3600 + part[4] * 60 +
                part[5]) +
         fraction;
}

}  // namespace tern::bench
