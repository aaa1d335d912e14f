#include "engine/text/parts/trie.h"

#include <algorithm>

namespace tern {

Trie::Trie(std::vector<Entry> entries) : nodes_(1) {
  std::sort(entries.begin(), entries.end());
  struct Range {  // the entries below a node: all begin with the same `depth` bytes
    size_t begin, end, depth;
  };
  std::vector<Range> ranges = {{0, entries.size(), 0}};
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    for (; begin < end && entries[begin].first.size() == depth; ++begin)
      nodes_[node].value = entries[begin].second;
    nodes_[node].first_child = uint32_t(nodes_.size());
    while (begin < end) {
      const char byte = entries[begin].first[depth];
      size_t stop = begin;
      while (stop < end && entries[stop].first[depth] == byte) ++stop;
      nodes_.push_back({.byte = static_cast<uint8_t>(byte)});
      ranges.push_back({begin, stop, depth + 1});
      ++nodes_[node].num_children;
      begin = stop;
    }
  }
  for (uint32_t i = 0; i < nodes_[kRoot].num_children; ++i) {
    const uint32_t child = nodes_[kRoot].first_child + i;
    root_[nodes_[child].byte] = child;
  }
}

uint32_t Trie::search(const Node& node, uint8_t byte) const {
  uint32_t begin = node.first_child, end = begin + node.num_children;
  while (begin < end) {
    const uint32_t middle = begin + (end - begin) / 2;
    if (nodes_[middle].byte == byte) return middle;
    if (nodes_[middle].byte < byte)
      begin = middle + 1;
    else
      end = middle;
  }
  return kNone;
}

Trie::Match Trie::longest_prefix(std::string_view text) const {
  Match match;
  uint32_t node = kRoot;
  for (size_t i = 0; i < text.size(); ++i) {
    node = child(node, text[i]);
    if (node == kNone) break;
    if (nodes_[node].value >= 0) match = {i + 1, nodes_[node].value};
  }
  return match;
}

}  // namespace tern
