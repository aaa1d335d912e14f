// What is written from the tree of commands, so that it never lags behind it: completion scripts
// and man pages.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tern {

inline constexpr const char* kShells[] = {"bash", "zsh", "fish"};

/// The completion script of `app` for one of kShells.
std::string completion_script(const CLI::App& app, const std::string& shell);

struct ManPage {
  int section = 1;
  std::string version;
  std::string see_also;  ///< "ternd(8)"
  std::string files;     ///< in roff; may be empty
};

/// The page of `app` and all its commands, in roff's man macros.
std::string man_page(const CLI::App& app, const ManPage& page);

/// The hidden flag --generate bash|zsh|fish|man, for builds: it prints one of these and leaves.
void add_generate_flag(CLI::App& app, const ManPage& page);

}  // namespace tern
