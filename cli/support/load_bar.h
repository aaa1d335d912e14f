// How a model is loaded, on a terminal.
#pragma once

#include "engine/load/loader.h"

namespace tern {

/// Shows the share of the weights that is loaded as a bar on stderr, where that is a terminal, and
/// takes it away at the end. For one loading.
ProgressFn show_loading();

}  // namespace tern
