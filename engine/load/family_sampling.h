// How the publishers of common models want them sampled, for files that do not say so.
#pragma once

#include <string>
#include <string_view>

#include "engine/decode/sampling_params.h"

namespace tern {

struct FamilySampling {
  std::string family;  ///< "Llama 3 Instruct"; empty: none that is known
  SamplingDefaults defaults;
};

/// By `architecture` ("LlamaForCausalLM") and what the model is called: `names` are those of its
/// file or folder and those written in it, in any spelling. Models without a chat template, and
/// those that call themselves base models, continue texts: they have no family.
FamilySampling family_sampling(std::string_view architecture, std::string_view names,
                               bool has_chat_template);

}  // namespace tern
