// Which tern this is.
#pragma once

#include <string>

namespace tern {

/// "0.1.0 (1a2b3c4d5e)": the release, and the commit it was built from, where that is known;
/// "-dirty" behind it says that the sources had been changed since.
std::string version_with_commit();

}  // namespace tern
