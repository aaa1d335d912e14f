// What every kind of byte pair encoding does: of all neighbours that may merge, the best pair
// first, the leftmost of equals, until none is left.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace tern {

/// A stretch of the piece under way, linked to its neighbours.
struct Symbol {
  int32_t id = 0;           ///< of a token, or -1
  uint32_t begin = 0;       ///< bytes [begin, begin + size) of the piece
  uint32_t size : 31 = 0;   ///< 0: it was merged into the one before it
  uint32_t frozen : 1 = 0;  ///< for the caller of merge_all(): never merges
  int32_t previous = -1;    ///< index, or -1
  int32_t next = -1;        ///< index, or -1
};

/// What a pair of neighbours may become. The lowest `rank` merges first; as a float, which counts
/// exactly beyond any list of merges, it keeps the heap small.
struct Merge {
  float rank = 0;
  int32_t id = 0;
};

/// The symbols of one piece, and those merges that were possible when they were entered. Kept for
/// the next piece, so that memory is allocated once.
///
/// Merges wait in order: those of one generation sorted, those that came of them in a heap. When
/// the generation is done, the heap becomes the next one. For a piece of a million characters a
/// heap alone would miss the cache at every step.
class SymbolList {
 public:
  void clear() {
    symbols_.clear();
    generation_.clear();
    heap_.clear();
  }

  /// Room for `size` symbols: growing step by step would touch twice the memory.
  void reserve(size_t size) {
    symbols_.reserve(size);
    generation_.reserve(size);
  }

  void add(int32_t id, size_t begin, size_t size, bool frozen = false) {
    const auto index = int32_t(symbols_.size());
    if (index > 0) symbols_.back().next = index;
    symbols_.push_back({.id = id,
                        .begin = uint32_t(begin),
                        .size = uint32_t(size),
                        .frozen = frozen,
                        .previous = index - 1});
  }

  bool empty() const { return symbols_.empty(); }

  /// `find(left, right)` says what two neighbours become: a pointer to a Merge, or null, read
  /// before the next call. O(n log n) calls for n symbols.
  template <class Find>
  void merge_all(const Find& find) {
    for (int32_t i = 0; i + 1 < int32_t(symbols_.size()); ++i)
      if (const auto candidate = candidate_at(i, find)) generation_.push_back(*candidate);
    for (; !generation_.empty(); std::swap(generation_, heap_)) {
      if (!std::ranges::is_sorted(generation_, before)) std::ranges::sort(generation_, before);
      for (const Candidate& next : generation_) {
        while (!heap_.empty() && before(heap_.front(), next)) {
          std::ranges::pop_heap(heap_, behind);
          const Candidate top = heap_.back();
          heap_.pop_back();
          merge(top, find);
        }
        merge(next, find);
      }
      generation_.clear();
    }
  }

  /// Calls `visit(symbol)` from left to right.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (int32_t at = symbols_.empty() ? -1 : 0; at >= 0; at = symbols_[at].next)
      visit(symbols_[at]);
  }

 private:
  struct Candidate {
    float rank = 0;
    int32_t left = 0;   ///< index of the left symbol
    int32_t id = 0;     ///< of the token that would come of it
    uint32_t size = 0;  ///< and its bytes
  };

  static bool before(const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.left < b.left;
  }
  static bool behind(const Candidate& a, const Candidate& b) { return before(b, a); }

  template <class Find>
  std::optional<Candidate> candidate_at(int32_t index, const Find& find) const {
    const Symbol& left = symbols_[index];
    if (left.next < 0) return std::nullopt;
    const Symbol& right = symbols_[left.next];
    const Merge* merge = find(left, right);
    if (!merge) return std::nullopt;
    return Candidate{merge->rank, index, merge->id, uint32_t(left.size) + right.size};
  }

  template <class Find>
  void enter(int32_t index, const Find& find) {
    const auto candidate = candidate_at(index, find);
    if (!candidate) return;
    heap_.push_back(*candidate);
    std::ranges::push_heap(heap_, behind);
  }

  /// Merges, where neither of the two has changed since: symbols only grow, so that their size
  /// tells.
  template <class Find>
  void merge(const Candidate& candidate, const Find& find) {
    Symbol& left = symbols_[candidate.left];
    if (left.size == 0 || left.next < 0) return;
    Symbol& right = symbols_[left.next];
    if (uint32_t(left.size) + right.size != candidate.size) return;
    left.id = candidate.id;
    left.size = candidate.size;
    left.next = right.next;
    right.size = 0;
    if (left.next >= 0) symbols_[left.next].previous = candidate.left;
    if (left.previous >= 0) enter(left.previous, find);
    enter(candidate.left, find);
  }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> generation_, heap_;
};

}  // namespace tern
