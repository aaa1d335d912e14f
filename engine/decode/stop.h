// Stop strings: cut the answer where one begins, across token and chunk borders.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

/// Text in, text that is safe to show out: what could still become a stop string is held back. One
/// thread.
class StopMatcher {
 public:
  StopMatcher() = default;
  /// `stop`: none empty. `include`: the matched string stays in the output.
  StopMatcher(std::vector<std::string> stop, bool include);

  /// What can be shown after `text`. Once a stop string has matched, the text before it (or up to
  /// its end) is returned and nothing more comes. Of several, the one that begins first matches; of
  /// those that begin together, the shortest. `can_match` false: no stop string may end in `text`,
  /// but one that ends later may begin there.
  std::string push(std::string_view text, bool can_match = true);

  /// What was held back; call when the answer ends for another reason.
  std::string finish();

  const std::optional<std::string>& matched() const { return matched_; }

 private:
  std::vector<std::string> stop_;  // by length
  bool include_ = false;
  size_t longest_ = 0;
  std::string held_;
  std::optional<std::string> matched_;
};

}  // namespace tern
