// The request ids that ended last, so that a late abort is told from one of an unknown id.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <string>

namespace tern {

/// Holds the last kCapacity ids, as hashes: its memory is there from the start, and does not grow
/// for the first thousands of requests as a leak would. One thread.
class RecentIds {
 public:
  static constexpr size_t kCapacity = 4096;

  void add(const std::string& id) {
    if (id.empty()) return;
    hashes_[next_] = hash(id);
    next_ = (next_ + 1) % kCapacity;
  }
  bool contains(const std::string& id) const {
    return std::ranges::find(hashes_, hash(id)) != hashes_.end();
  }

 private:
  // 0 is an empty place.
  static size_t hash(const std::string& id) { return std::hash<std::string>()(id) | 1; }

  std::array<size_t, kCapacity> hashes_{};
  size_t next_ = 0;
};

}  // namespace tern
