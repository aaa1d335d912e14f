#include "engine/decode/stop.h"

#include <algorithm>
#include <utility>

namespace tern {

StopMatcher::StopMatcher(std::vector<std::string> stop, bool include)
    : stop_(std::move(stop)), include_(include) {
  std::sort(stop_.begin(), stop_.end(),
            [](const auto& a, const auto& b) { return a.size() < b.size(); });
  if (!stop_.empty()) longest_ = stop_.back().size();
}

std::string StopMatcher::push(std::string_view text, bool can_match) {
  if (stop_.empty()) return std::string(text);
  if (matched_) return {};
  const size_t num_old = held_.size();
  held_ += text;

  size_t first = std::string::npos;
  const std::string* winner = nullptr;
  for (const std::string& s : stop_) {
    if (!can_match) break;
    // A match ends in the new text: one that ended before was not to count.
    const size_t at = held_.find(s, num_old < s.size() ? 0 : num_old + 1 - s.size());
    if (at < first) first = at, winner = &s;
  }
  if (winner != nullptr) {
    matched_ = *winner;
    std::string shown = held_.substr(0, first + (include_ ? winner->size() : 0));
    held_.clear();
    return shown;
  }

  // Hold back the longest tail that begins a stop string, no more: text must not lag for nothing.
  size_t keep = std::min(held_.size(), longest_ - 1);
  const auto begins_a_stop = [&](size_t length) {
    const std::string_view tail = std::string_view(held_).substr(held_.size() - length);
    return std::any_of(stop_.begin(), stop_.end(),
                       [&](const std::string& s) { return std::string_view(s).starts_with(tail); });
  };
  while (keep > 0 && !begins_a_stop(keep)) --keep;
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return shown;
}

std::string StopMatcher::finish() {
  return std::exchange(held_, {});
}

}  // namespace tern
