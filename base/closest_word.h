// What somebody who mistyped a word may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tern {

/// "; did you mean `the candidate nearest to word`?", or nothing where none is near: the shortest
/// that begins with `word` (three letters of it at least), else the one with the fewest letters to
/// change, unless these were more than a third. Two letters that have changed places count once.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace tern
