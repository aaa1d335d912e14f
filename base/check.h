// Checks of what only a bug in tern can break. For errors a caller can act on, see status.h.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

/// Aborts with the condition, `what` and the place, in every build type.
#define TERN_CHECK(condition, what)                                               \
  do {                                                                            \
    if (!(condition)) ::tern::check_failed(#condition, what, __FILE__, __LINE__); \
  } while (false)

/// TERN_CHECK for hot loops: nothing in release builds.
#ifdef NDEBUG
#define TERN_DCHECK(condition, what) \
  do {                               \
  } while (false)
#else
#define TERN_DCHECK(condition, what) TERN_CHECK(condition, what)
#endif

namespace tern {

[[noreturn]] inline void check_failed(const char* condition, std::string_view what,
                                      const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s (%.*s)\n", file, line, condition, int(what.size()),
               what.data());
  std::abort();
}

}  // namespace tern
