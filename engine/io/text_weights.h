// The text model's tensors among those of a multimodal checkpoint.
#pragma once

#include <memory>

#include "engine/io/weight_source.h"

namespace tern {

/// Those tensors of `whole` that are the text model's, under the names that they have in a
/// checkpoint of the text model alone ("language_model.model.layers.0.…" is "model.layers.0.…").
/// The rest (vision towers, projectors) is not there. Keeps `whole`.
std::shared_ptr<const WeightSource> make_text_weights(std::shared_ptr<const WeightSource> whole);

}  // namespace tern
