// A set of byte strings, each with a value, searched from the front.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace tern {

/// Immutable; any thread. Walk it with child() from kRoot, or ask for the longest prefix.
class Trie {
 public:
  using Entry = std::pair<std::string_view, int32_t>;
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = 0;  ///< from child(): the root is nobody's child

  Trie() : Trie(std::vector<Entry>{}) {}

  /// `entries` in any order, their values >= 0, none of them empty. Of a string that comes twice,
  /// the largest value counts.
  explicit Trie(std::vector<Entry> entries);

  /// The node behind `node` along `byte`, or kNone.
  uint32_t child(uint32_t node, char byte) const {
    if (node == kRoot) return root_[static_cast<uint8_t>(byte)];
    return search(nodes_[node], static_cast<uint8_t>(byte));
  }

  /// The value of the string that ends at `node`, or -1.
  int32_t value(uint32_t node) const { return nodes_[node].value; }

  struct Match {
    size_t size = 0;     ///< bytes; 0: nothing matches
    int32_t value = -1;  ///< of the longest entry that `text` starts with
  };
  Match longest_prefix(std::string_view text) const;

 private:
  struct Node {
    uint32_t first_child = 0;  ///< index; the children of a node are neighbours, in byte order
    uint16_t num_children = 0;
    uint8_t byte = 0;  ///< that leads here
    int32_t value = -1;
  };

  uint32_t search(const Node& node, uint8_t byte) const;

  std::vector<Node> nodes_;
  std::array<uint32_t, 256> root_{};  // the root's children, by byte
};

}  // namespace tern
