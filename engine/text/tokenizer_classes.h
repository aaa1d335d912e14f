// Special tokens that transformers' tokenizer classes have without a file that says so.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern {

/// Pairs of name and token: {"bos_token", "<s>"}, …. Of a class by its name without "Fast" at its
/// end; none for a class that tern does not know or that has none.
std::vector<std::pair<std::string_view, std::string_view>> tokens_of_class(
    std::string_view tokenizer_class);

/// The class of models of this type (config.json's model_type) that name none; empty for those that
/// have no class of their own.
std::string tokenizer_class_of(std::string_view model_type);

}  // namespace tern
