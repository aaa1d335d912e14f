#include "engine/step/sim_engine.h"

#include "base/rng.h"
#include "base/utf8.h"

namespace tern {
namespace {

class SimTokenizer final : public Tokenizer {
 public:
  SimTokenizer() {
    for (int32_t id = 0; id < 256; ++id) pieces_.push_back(std::string(1, char(id)));
    pieces_.push_back("<eos>");
  }

  Result<std::vector<int32_t>> encode(std::string_view text, const EncodeOptions&) const override {
    if (const auto offset = find_invalid_utf8(text))
      return invalid_argument("text: not UTF-8 at byte " + std::to_string(*offset));
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  std::string_view token_bytes(int32_t id) const override { return token_piece(id); }
  std::string_view token_piece(int32_t id) const override {
    return id >= 0 && id < vocab_size() ? std::string_view(pieces_[id]) : std::string_view();
  }
  bool is_special(int32_t id) const override { return id == SimRunner::kEos; }
  std::optional<int32_t> token_id(std::string_view piece) const override {
    for (int32_t id = 0; id < vocab_size(); ++id)
      if (pieces_[id] == piece) return id;
    return {};
  }
  int32_t vocab_size() const override { return SimRunner::kVocabSize; }

 private:
  std::vector<std::string> pieces_;
};

}  // namespace

SimRunner::SimRunner(const SimStepCost& cost, int32_t max_logits_rows,
                     std::function<void(Seconds)> elapse)
    : cost_(cost), elapse_(std::move(elapse)), logits_(size_t(max_logits_rows) * kVocabSize) {}

int32_t SimRunner::next_token(int32_t token_id, int32_t position) {
  constexpr uint64_t kSeed = 0x7465726e;
  const uint64_t bits =
      random_bits(kSeed, RngStream::kSimulation, uint64_t(token_id) << 32 | uint32_t(position));
  if (bits % 64 == 0) return kEos;  // answers of 64 tokens on average
  return (bits >> 8) % 6 == 0 ? ' ' : static_cast<int32_t>('a' + (bits >> 16) % 26);
}

MatView<const float> SimRunner::execute(const StepBatch& batch) {
  elapse_(cost_.of(batch.num_tokens(), batch.num_seqs()));
  const MatView<float> logits{logits_.data(), int64_t(batch.logits_rows.size()), kVocabSize,
                              kVocabSize};
  for (int64_t r = 0; r < logits.rows; ++r) {
    const int32_t row = batch.logits_rows[r];
    std::fill_n(logits.row(r), kVocabSize, 0.0f);
    logits.row(r)[next_token(batch.token_ids[row], batch.positions[row])] = 100.0f;
  }
  return read_only(logits);
}

std::unique_ptr<Tokenizer> make_sim_tokenizer() {
  return std::make_unique<SimTokenizer>();
}

ModelAssets make_sim_assets(int32_t max_model_len) {
  ModelAssets assets;
  assets.tokenizer = make_sim_tokenizer();
  assets.info.name = "simulated";
  assets.info.architecture = "Simulation";
  assets.info.weight_format = "none";
  assets.info.vocab_size = SimRunner::kVocabSize;
  assets.info.max_model_len = max_model_len;
  assets.info.eos_token_ids = {SimRunner::kEos};
  return assets;
}

}  // namespace tern
