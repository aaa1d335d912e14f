#include "cli/support/terminal.h"

#include <unistd.h>

#include <cstdlib>

namespace tern {

bool is_screen(int fd) {
  const char* term = std::getenv("TERM");
  return term && *term && std::string_view(term) != "dumb" && isatty(fd) != 0;
}

std::string without_controls(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (is_c1) ++i;
    if (is_c1 || byte == 0x7f || (byte < 0x20 && byte != '\n' && byte != '\t')) continue;
    out += text[i];
  }
  return out;
}

}  // namespace tern
