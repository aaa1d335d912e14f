#include "cli/files/render_template.h"

#include <nlohmann/json.hpp>

#include "base/big_integers.h"
#include "cli/support/output.h"
#include "engine/load/loader.h"
#include "engine/load/resolve_model.h"
#include "engine/text/chat_renderer.h"

namespace tern {
namespace {

using nlohmann::ordered_json;  // a template prints tools in the order of the file

Result<ordered_json> read_array(const std::string& path) {
  TERN_ASSIGN(const std::string text, read_text(path));
  try {
    ordered_json array = ordered_json::parse(quote_big_integers(text));
    if (!array.is_array()) return invalid_argument(path + ": must be a JSON array");
    return array;
  } catch (const ordered_json::parse_error& error) {
    return invalid_argument(path + ": " + error.what());
  }
}

}  // namespace

Result<nlohmann::json> render_template(const RenderOptions& options) {
  TERN_ASSIGN(const std::string path, resolve_model(options.model));
  TERN_ASSIGN(const ModelFiles files, read_model_files(path));
  const ModelAssets& assets = files.assets;
  if (!assets.chat) return Status(Code::kFailedPrecondition, path + ": has no chat template");
  Conversation conversation;
  TERN_ASSIGN(conversation.messages, read_array(options.messages_file));
  if (!options.tools_file.empty()) {
    TERN_ASSIGN(conversation.tools, read_array(options.tools_file));
  }
  conversation.continue_final_message = options.continue_final_message;
  if (!options.add_generation_prompt) conversation.add_generation_prompt = false;
  TERN_ASSIGN(const std::string text, assets.chat->render(conversation));
  nlohmann::json result{{"text", text}, {"token_ids", nullptr}};
  if (!assets.tokenizer) return result;
  // The template writes what stands around the text.
  TERN_ASSIGN(const std::vector<int32_t> ids,
              assets.tokenizer->encode(text, {.add_special_tokens = false}));
  result["token_ids"] = ids;
  return result;
}

}  // namespace tern
