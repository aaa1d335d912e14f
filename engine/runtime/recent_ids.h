// The request ids that ended last, so that a late abort is told from one of an unknown id.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>

namespace tern {

/// Holds the last kCapacity ids. One thread.
class RecentIds {
 public:
  static constexpr size_t kCapacity = 4096;

  void add(const std::string& id) {
    if (id.empty()) return;
    order_.push_back(id);
    ids_.insert(id);
    if (order_.size() <= kCapacity) return;
    ids_.erase(ids_.find(order_.front()));
    order_.pop_front();
  }
  bool contains(const std::string& id) const { return ids_.contains(id); }

 private:
  std::deque<std::string> order_;
  std::unordered_multiset<std::string> ids_;  // one id may end twice
};

}  // namespace tern
