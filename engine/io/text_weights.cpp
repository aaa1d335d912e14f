#include "engine/io/text_weights.h"

#include <map>

#include "engine/io/json_parse.h"

namespace tern {
namespace {

/// Where multimodal checkpoints keep their text model, and where it stands by itself. Versions of
/// transformers have written the same model in several of these ways.
constexpr std::pair<std::string_view, std::string_view> kPrefixes[] = {
    {"language_model.model.", "model."},
    {"language_model.lm_head.", "lm_head."},
    {"model.language_model.", "model."},
    {"model.text_model.", "model."},
    {"model.embed_tokens.", "model.embed_tokens."},
    {"model.layers.", "model.layers."},
    {"model.norm.", "model.norm."},
    {"lm_head.", "lm_head."},
};

/// Empty for what is not of the text model.
std::string text_name(std::string_view name) {
  for (const auto& [prefix, own] : kPrefixes)
    if (name.starts_with(prefix)) return std::string(own) + std::string(name.substr(prefix.size()));
  return {};
}

class TextWeights final : public WeightSource {
 public:
  explicit TextWeights(std::shared_ptr<const WeightSource> whole) : whole_(std::move(whole)) {
    for (TensorInfo& tensor : whole_->tensors()) {
      std::string name = text_name(tensor.name);
      if (!name.empty()) tensors_.emplace(std::move(name), std::move(tensor));
    }
  }

  const std::string& path() const override { return whole_->path(); }

  Result<std::unique_ptr<RowSource>> get(std::string_view name,
                                         const std::vector<int64_t>& shape) const override {
    const auto it = tensors_.find(name);
    if (it != tensors_.end()) return whole_->get(it->second.name, shape);
    return Status(Code::kNotFound, path() + ": has no tensor " + in_quotes(name) +
                                       " of the text model, under any name");
  }

  std::vector<TensorInfo> tensors() const override {
    std::vector<TensorInfo> all;
    for (const auto& [name, tensor] : tensors_) {
      all.push_back(tensor);
      all.back().name = name;
    }
    return all;
  }

 private:
  const std::shared_ptr<const WeightSource> whole_;
  std::map<std::string, TensorInfo, std::less<>> tensors_;  // of whole_, by the text model's name
};

}  // namespace

std::shared_ptr<const WeightSource> make_text_weights(std::shared_ptr<const WeightSource> whole) {
  return std::make_shared<TextWeights>(std::move(whole));
}

}  // namespace tern
