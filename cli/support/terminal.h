// What stands at the other end of a file descriptor.
#pragma once

#include <string>
#include <string_view>

namespace tern {

/// A terminal that understands cursor movements (TERM is set, and not "dumb").
bool is_screen(int fd);

/// `text` without the control characters that would move a terminal's cursor, colour it or worse:
/// all but line feeds and tabs, and those of Unicode's C1. `text` is valid UTF-8.
std::string without_controls(std::string_view text);

}  // namespace tern
