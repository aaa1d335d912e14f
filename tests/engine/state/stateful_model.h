// A small real model, two of whose three layers have a state.
#pragma once

#include <memory>

#include "base/device.h"
#include "engine/model/model.h"

namespace tern {

struct StatefulModelOptions {
  Exec ex;
  int32_t max_model_len = 0;
  bool plan_only = false;     ///< as in LoadOptions
  bool has_attention = true;  ///< else the first layer has a running sum, too: no KV at all
};

/// Made of the weights of tests/data/golden/llama: attention in the first layer, running sums in
/// the others, of different widths; the rest is Llama's. Aborts where the checkpoint is not what it
/// was.
std::shared_ptr<const Model> make_stateful_model(const StatefulModelOptions& options);

}  // namespace tern
