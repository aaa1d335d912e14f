#include "base/command_line/standard_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace tern {

void keep_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      // The lowest free number is `fd`. The mode is the wrong one, so that using it is an error.
      (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int finish_standard_output(const std::string& program, int code) {
  std::cout.flush();
  const bool is_written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  if (is_written) return code;
  // The streams keep no reason, so the descriptor is asked: what was printed is incomplete anyway.
  const int why = write(STDOUT_FILENO, "\n", 1) < 0 ? errno : 0;
  if (why != EPIPE)
    std::cerr << program << ": cannot write to standard output"
              << (why != 0 ? std::string(": ") + std::strerror(why) : "") << std::endl;
  return code != 0 ? code : 1;
}

}  // namespace tern
