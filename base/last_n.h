// The last so many of what goes on coming.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace tern {

/// Keeps the last `capacity` (>= 1) that were pushed. All of its memory is there from the start:
/// the nodes of a deque, which live for minutes among what lives for milliseconds, would leave the
/// heap in ever smaller pieces. One thread.
template <class T>
class LastN {
 public:
  explicit LastN(size_t capacity) : items_(capacity) {}

  void push(T item) { items_[num_pushed_++ % items_.size()] = std::move(item); }
  size_t size() const { return std::min(num_pushed_, items_.size()); }

  /// 0 is the newest, size() - 1 the oldest.
  const T& newest(size_t i) const { return items_[(num_pushed_ - 1 - i) % items_.size()]; }

 private:
  std::vector<T> items_;
  size_t num_pushed_ = 0;
};

}  // namespace tern
