// Readers of the parts of a tokenizer.json: a branch per type, the same in all files of the format.
#pragma once

#include "engine/text/json_node.h"
#include "engine/text/pipeline.h"

namespace tern {

/// Each takes the part's object. kInvalidArgument naming the place that is broken, kUnimplemented
/// naming a type that tern does not know.
Result<NormalizerPtr> read_normalizer(const JsonNode& node);
Result<std::unique_ptr<PreTokenizer>> read_pre_tokenizer(const JsonNode& node);
Result<std::unique_ptr<TokenModel>> read_token_model(const JsonNode& node);
Result<DecoderPtr> read_decoder(const JsonNode& node);

/// Puts what `node` says around `frame`.
Status read_post_processor(const JsonNode& node, TextFrame& frame);

/// An added token; `id` is read by the caller, as it stands elsewhere in some files. Its content
/// may be empty.
Result<AddedToken> read_added_token(const JsonNode& node, int64_t id);

/// A tokenizer of the text of a tokenizer.json and of what the model's configuration adds to it.
Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view json,
                                                        const std::string& source,
                                                        const ConfiguredTokens& configured);

/// What several parts share: {"Regex": …} or {"String": …}, an unknown type, a Metaspace's scheme,
/// a vocabulary of ids by piece.
Result<Regex> read_pattern(const JsonNode& node);
Status unknown_type(const JsonNode& node, const std::string& type);
Result<PrependScheme> read_prepend_scheme(const JsonNode& node);
Result<Vocabulary> read_vocabulary(const JsonNode& node);

/// The parts of a Sequence, read with `read` one by one.
template <class Part>
Result<std::vector<Part>> read_list(const JsonNode& node, std::string_view key,
                                    Result<Part> (*read)(const JsonNode&)) {
  TERN_ASSIGN(const JsonNode list, node.at(key));
  TERN_TRY(list.expect_array());
  std::vector<Part> parts;
  for (size_t i = 0; i < list.value().size(); ++i) {
    TERN_ASSIGN(Part part, read(list.element(i)));
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace tern
