// tokenizer.json: post-processors, which work on ids, and decoders.
#include "base/utf8_char.h"
#include "engine/io/json_parse.h"
#include "engine/text/parts/vocabulary.h"
#include "engine/text/tokenizer_json.h"

namespace tern {
namespace {

using nlohmann::json;

Result<int32_t> read_id(const JsonNode& node) {
  TERN_ASSIGN(const int64_t id, node.integer());
  if (id < 0 || id >= kMaxVocabSize) return node.error("is not the id of a token");
  return int32_t(id);
}

/// The ids that a "SpecialToken" of a template stands for.
Status read_template_token(const JsonNode& special_tokens, const JsonNode& piece,
                           std::vector<int32_t>& ids) {
  TERN_ASSIGN(const std::string name, piece.string_at("id"));
  TERN_ASSIGN(const JsonNode token, special_tokens.at(name));
  TERN_ASSIGN(const std::vector<int32_t> list, read_list(token, "ids", read_id));
  ids.insert(ids.end(), list.begin(), list.end());
  return {};
}

Result<TextFrame> read_template(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode single, node.at("single"));
  TERN_TRY(single.expect_array());
  TERN_ASSIGN(const JsonNode special_tokens, node.at("special_tokens"));
  TextFrame frame;
  bool seen_text = false;
  for (size_t i = 0; i < single.value().size(); ++i) {
    const JsonNode piece = single.element(i);
    if (const auto special = piece.find("SpecialToken")) {
      TERN_TRY(
          read_template_token(special_tokens, *special, seen_text ? frame.behind : frame.before));
    } else if (piece.find("Sequence") && !seen_text) {
      seen_text = true;
    } else {
      return piece.error("is neither a \"SpecialToken\" nor the only \"Sequence\"");
    }
  }
  if (!seen_text) return single.error("has no \"Sequence\"");
  return frame;
}

/// The id in ["[SEP]", 102].
Result<int32_t> read_pair(const JsonNode& node, std::string_view key) {
  TERN_ASSIGN(const JsonNode pair, node.at(key));
  if (!pair.value().is_array() || pair.value().size() != 2)
    return pair.error("is not [\"token\", id]");
  return read_id(pair.element(1));
}

/// BertProcessing and RobertaProcessing.
Result<TextFrame> read_cls_sep(const JsonNode& node) {
  TERN_ASSIGN(const int32_t cls, read_pair(node, "cls"));
  TERN_ASSIGN(const int32_t sep, read_pair(node, "sep"));
  return TextFrame{{cls}, {sep}};
}

Result<int64_t> integer_or(const JsonNode& node, std::string_view key, int64_t otherwise) {
  const auto member = node.find(key);
  return member ? member->integer() : Result<int64_t>(otherwise);
}

Result<std::string> string_or(const JsonNode& node, std::string_view key, std::string otherwise) {
  const auto member = node.find(key);
  return member ? member->string() : Result<std::string>(std::move(otherwise));
}

Result<DecoderPtr> read_metaspace(const JsonNode& node) {
  TERN_ASSIGN(std::string replacement, node.string_at("replacement"));
  TERN_ASSIGN(const PrependScheme scheme, read_prepend_scheme(node));
  return make_metaspace_decoder(std::move(replacement), scheme);
}

Result<DecoderPtr> read_wordpiece(const JsonNode& node) {
  TERN_ASSIGN(std::string prefix, string_or(node, "prefix", "##"));
  TERN_ASSIGN(const bool cleanup, node.boolean_or("cleanup", true));
  return make_wordpiece_decoder(std::move(prefix), cleanup);
}

Result<DecoderPtr> read_strip(const JsonNode& node) {
  TERN_ASSIGN(std::string content, node.string_at("content"));
  if (num_chars(content) != 1) return node.error("\"content\" is not one character");
  TERN_ASSIGN(const int64_t left, integer_or(node, "start", 0));
  TERN_ASSIGN(const int64_t right, integer_or(node, "stop", 0));
  return make_strip_decoder(std::move(content), left, right);
}

Result<DecoderPtr> read_replace(const JsonNode& node) {
  TERN_ASSIGN(const JsonNode pattern, node.at("pattern"));
  TERN_ASSIGN(Regex regex, read_pattern(pattern));
  TERN_ASSIGN(std::string content, node.string_at("content"));
  return make_replace_decoder(std::move(regex), std::move(content));
}

}  // namespace

Status read_post_processor(const JsonNode& node, TextFrame& frame) {
  TERN_ASSIGN(const std::string type, node.string_at("type"));
  if (type == "ByteLevel") return {};  // moves offsets only, which tern does not report
  if (type == "Sequence") {
    TERN_ASSIGN(const JsonNode list, node.at("processors"));
    TERN_TRY(list.expect_array());
    for (size_t i = 0; i < list.value().size(); ++i)
      TERN_TRY(read_post_processor(list.element(i), frame));
    return {};
  }
  TextFrame outer;
  if (type == "TemplateProcessing") {
    TERN_ASSIGN(outer, read_template(node));
  } else if (type == "BertProcessing" || type == "RobertaProcessing") {
    TERN_ASSIGN(outer, read_cls_sep(node));
  } else {
    return unknown_type(node, type);
  }
  frame.before.insert(frame.before.begin(), outer.before.begin(), outer.before.end());
  frame.behind.insert(frame.behind.end(), outer.behind.begin(), outer.behind.end());
  return {};
}

Result<DecoderPtr> read_decoder(const JsonNode& node) {
  TERN_ASSIGN(const std::string type, node.string_at("type"));
  if (type == "ByteLevel") return make_byte_level_decoder();
  if (type == "ByteFallback") return make_byte_fallback_decoder();
  if (type == "Fuse") return make_fuse_decoder();
  if (type == "Metaspace") return read_metaspace(node);
  if (type == "WordPiece") return read_wordpiece(node);
  if (type == "Strip") return read_strip(node);
  if (type == "Replace") return read_replace(node);
  if (type == "BPEDecoder") {
    TERN_ASSIGN(std::string suffix, string_or(node, "suffix", "</w>"));
    return make_bpe_decoder(std::move(suffix));
  }
  if (type == "Sequence") {
    TERN_ASSIGN(auto parts, read_list(node, "decoders", read_decoder));
    return make_decoder_sequence(std::move(parts));
  }
  return unknown_type(node, type);
}

}  // namespace tern
