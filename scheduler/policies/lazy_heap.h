// A heap whose entries die in place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tern {

/// A min-heap of keys, each for an id. An entry that no longer counts stays until it comes to the
/// top or too many have died: taking one out of the middle costs nothing. Who counts is known by a
/// number that each push gives its entry, the generation. One thread.
template <class Key>
class LazyHeap {
 public:
  struct Node {
    Key key;
    uint64_t id = 0;
    uint64_t generation = 0;
  };

  /// O(log n).
  void push(const Key& key, uint64_t id, uint64_t generation) {
    nodes_.push_back({key, id, generation});
    std::push_heap(nodes_.begin(), nodes_.end(), is_after);
  }

  /// The least of the entries that `is_alive(const Node&)`, or null; valid until the next call.
  /// What is dead and comes to the top goes for good. O(log n) for each of these.
  template <class IsAlive>
  const Node* top(const IsAlive& is_alive) {
    while (!nodes_.empty() && !is_alive(nodes_.front())) {
      std::pop_heap(nodes_.begin(), nodes_.end(), is_after);
      nodes_.pop_back();
      num_dead_ -= num_dead_ > 0;
    }
    return nodes_.empty() ? nullptr : &nodes_.front();
  }

  /// One more entry is dead. Where they are more than half, all of them go: O(n), so O(1) for each.
  template <class IsAlive>
  void bury(const IsAlive& is_alive) {
    ++num_dead_;
    if (nodes_.size() < kLeastToCompact || 2 * num_dead_ <= nodes_.size()) return;
    std::erase_if(nodes_, [&](const Node& node) { return !is_alive(node); });
    std::make_heap(nodes_.begin(), nodes_.end(), is_after);
    num_dead_ = 0;
  }

  /// Entries, dead ones with them.
  size_t size() const { return nodes_.size(); }

 private:
  static constexpr size_t kLeastToCompact = 64;

  static bool is_after(const Node& a, const Node& b) { return b.key < a.key; }

  std::vector<Node> nodes_;
  size_t num_dead_ = 0;
};

}  // namespace tern
