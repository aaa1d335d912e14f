// Which waiting sequences find more of their prompts cached once a block is published.
#pragma once

#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "base/sha256.h"

namespace tern {

/// Ids by the first block of each that the prefix cache lacks. All operations are O(1) (expected).
class PrefixWatch {
 public:
  void watch(const Sha256& missing, uint64_t id) { ids_[missing].push_back(id); }

  void unwatch(const Sha256& missing, uint64_t id) {
    const auto found = ids_.find(missing);
    if (found == ids_.end()) return;
    std::erase(found->second, id);
    if (found->second.empty()) ids_.erase(found);
  }

  /// Those that wait for this block, which is there now: they are watched no longer.
  std::vector<uint64_t> take(const Sha256& published) {
    auto node = ids_.extract(published);
    return node.empty() ? std::vector<uint64_t>() : std::move(node.mapped());
  }

  bool empty() const { return ids_.empty(); }

 private:
  struct Leading {
    size_t operator()(const Sha256& hash) const {
      size_t bits = 0;
      std::memcpy(&bits, hash.data(), sizeof bits);
      return bits;
    }
  };
  std::unordered_map<Sha256, std::vector<uint64_t>, Leading> ids_;
};

}  // namespace tern
