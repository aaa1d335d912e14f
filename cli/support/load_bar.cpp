#include "cli/support/load_bar.h"

#include <memory>

#include "cli/support/output.h"

namespace tern {

ProgressFn show_loading() {
  return [bar = std::make_shared<std::unique_ptr<ProgressBar>>()](const LoadProgress& progress) {
    if (progress.total_bytes == 0 || progress.done_bytes == progress.total_bytes)
      return bar->reset();
    if (!*bar)
      *bar = std::make_unique<ProgressBar>("loading " + format_bytes(progress.total_bytes));
    (*bar)->update(progress.fraction());
  };
}

}  // namespace tern
