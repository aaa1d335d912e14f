// What the process ends with (docs/cli.md).
#pragma once

namespace tern {

enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,        ///< the work failed
  kExitUsage = 2,         ///< wrong usage
  kExitUnreachable = 3,   ///< the server cannot be reached
  kExitInterrupted = 130  ///< Ctrl-C
};

}  // namespace tern
