// The request ids that ended last, so that a late abort is told from one of an unknown id.
#pragma once

#include <functional>
#include <string>

#include "base/last_n.h"

namespace tern {

/// Holds the last kCapacity ids, as hashes. One thread.
class RecentIds {
 public:
  static constexpr size_t kCapacity = 4096;

  void add(const std::string& id) {
    if (!id.empty()) hashes_.push(std::hash<std::string>()(id));
  }
  bool contains(const std::string& id) const {
    const size_t hash = std::hash<std::string>()(id);
    for (size_t i = 0; i < hashes_.size(); ++i)
      if (hashes_.newest(i) == hash) return true;
    return false;
  }

 private:
  LastN<size_t> hashes_{kCapacity};
};

}  // namespace tern
