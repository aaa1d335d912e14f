// What every block of a model sees of the step in progress.
#pragma once

#include "base/device.h"
#include "base/workspace.h"
#include "engine/cache/kv_cache.h"
#include "engine/cache/state_cache.h"
#include "engine/model/step_batch.h"

namespace tern {

struct Linear;

/// Sees what linear layers read, before they do: for calibration and training. Engine thread.
class LinearTap {
 public:
  virtual ~LinearTap() = default;

  /// x: [tokens, in], on the step's device.
  virtual void on_input(const Linear& layer, MatView<const float> x) = 0;
};

/// Lives for one forward pass, on the thread that owns the Exec's pool.
struct Step {
  const StepBatch&
      batch;  ///< its arrays are on the device of `ex`: only their sizes may be looked at
  const KvCache& kv;
  const StateCache& states;  ///< of the slots that `batch` names
  Workspace& ws;
  const Exec& ex;
  LinearTap* tap = nullptr;  ///< if not null, told of every linear layer
};

}  // namespace tern
