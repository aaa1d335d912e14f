// What becomes of a program's output: written, or said that it is lost.
#pragma once

#include <string>

namespace tern {

/// First in main(): where stdin, stdout or stderr are closed, their numbers are taken, so that no
/// file that is opened later gets one of them, and what the program prints into it. Writing to such
/// a stream fails.
void keep_standard_streams();

/// Last in main(): the exit code. Where not all of stdout could be written, says so on stderr in
/// the name of `program`, and `code` 0 becomes 1. A reader that left early (`| head -1`) is not
/// complained about.
int finish_standard_output(const std::string& program, int code);

}  // namespace tern
