// What would keep ternd from serving, found out without serving.
#pragma once

#include <string>
#include <vector>

#include "server/config.h"

namespace tern {

/// Opens what `config` names as far as that is cheap: the model's configuration, tokenizer and
/// template, the headers of its weights, the plan of its memory; binds the addresses, and lets them
/// go. Every problem, those of find_mistakes() first:
/// "FILE:LINE: key: what is wrong", see locate(); the key is a variable's name where that is at
/// fault. `model` gets a line about the
/// model where it can be served.
std::vector<std::string> find_problems(const Config& config, std::string* model);

}  // namespace tern
