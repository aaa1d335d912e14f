#include "server/load_log.h"

#include <cstdio>

namespace tern {
namespace {

template <class... Values>
std::string print(const char* format, Values... values) {
  char text[160];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

double gb(uint64_t bytes) {
  return double(bytes) / 1e9;
}

}  // namespace

std::string LoadLog::on_progress(const LoadProgress& progress, TimePoint now) {
  constexpr Seconds kInterval{1}, kLongInterval{10};
  constexpr double kShare = 0.1;
  const bool is_new = stages_.empty() || stages_.back().name != progress.stage;
  if (is_new) stages_.push_back({progress.stage, now});
  if (progress.total_bytes > 0) weights_ = progress;

  const auto since = now - last_line_;
  if (since < to_duration(kInterval)) return {};
  if (!is_new && progress.fraction() < last_fraction_ + kShare &&
      since < to_duration(kLongInterval))
    return {};
  last_line_ = now;
  last_fraction_ = progress.fraction();
  return progress.total_bytes > 0 ? weights_line(now) : std::string("loading ") + progress.stage;
}

std::string LoadLog::weights_line(TimePoint now) const {
  const double seconds = to_seconds(now - stages_.back().start);
  return print("loading weights: %.2f of %.2f GB (%.0f %%), %.2f GB/s", gb(weights_.done_bytes),
               gb(weights_.total_bytes), weights_.fraction() * 100,
               seconds > 0 ? gb(weights_.done_bytes) / seconds : 0.0);
}

std::string LoadLog::summary(TimePoint now) const {
  std::string text;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const TimePoint end = i + 1 < stages_.size() ? stages_[i + 1].start : now;
    const double seconds = to_seconds(end - stages_[i].start);
    text += print("%s%s %.2f s", i ? ", " : "", stages_[i].name.c_str(), seconds);
    if (stages_[i].name != weights_.stage || seconds <= 0) continue;
    text +=
        print(" (%.2f GB, %.2f GB/s)", gb(weights_.done_bytes), gb(weights_.done_bytes) / seconds);
  }
  return text;
}

}  // namespace tern
