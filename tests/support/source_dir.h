// Where the sources and the programs of this build stand.
#pragma once

#include <string>
#include <string_view>

namespace tern {

/// The path of `relative` ("tests/data/golden/llama") in the source tree. One library holds the tree's own path, so that
/// a compiler cache serves the tests of every checkout.
std::string source_path(std::string_view relative);

/// Where this build puts its plug-ins.
std::string plugin_folder();

}  // namespace tern
