// Opens, before any test looks up a kernel, the devices whose kernels the parity tests run besides
// the host's: the loopback device, and those that TERN_TEST_DEVICES names ("cuda").
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include "kernels/registry.h"
#include "tests/support/source_dir.h"

namespace {

const bool kOpened = [] {
  setenv("TERN_PLUGINS", tern::plugin_folder().c_str(), 0);
  const char* named = std::getenv("TERN_TEST_DEVICES");
  std::istringstream names(std::string("loopback ") + (named != nullptr ? named : ""));
  for (std::string name; names >> name;)
    if (const auto device = tern::open_device(name); !device.ok()) {
      std::fprintf(stderr, "%s\n", device.status().message().c_str());
      std::abort();
    }
  return true;
}();

}  // namespace
