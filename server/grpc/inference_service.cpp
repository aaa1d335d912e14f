// tern.v1.Inference: what the engine answers is in generate_stream.cpp, the rest here.
#include "server/grpc/generate_stream.h"
#include "server/grpc/services.h"
#include "server/grpc/wire.h"
#include "tern/v1/inference.grpc.pb.h"

namespace tern {
namespace {

using Error = std::optional<ApiError>;
using Context = grpc::CallbackServerContext;
using Buffer = grpc::ByteBuffer;
using Reactor = grpc::ServerUnaryReactor;
using Rpc = v1::Inference;

template <class Ids>
void set_ids(const std::vector<int32_t>& ids, Ids* out) {
  out->Add(ids.begin(), ids.end());
}

// Requests come in raw, see wire.h.
using Base = Rpc::WithRawCallbackMethod_Generate<
    Rpc::WithRawCallbackMethod_GenerateUnary<Rpc::WithRawCallbackMethod_Score<
        Rpc::WithRawCallbackMethod_Tokenize<Rpc::WithRawCallbackMethod_Detokenize<
            Rpc::WithRawCallbackMethod_ApplyTemplate<Rpc::CallbackService>>>>>>;

class InferenceService final : public Base {
 public:
  explicit InferenceService(ServingState& state) : state_(state) {}

  grpc::ServerWriteReactor<Buffer>* Generate(Context* context, const Buffer* in) override {
    return start_stream(state_, sender_, context, in);
  }

  Reactor* GenerateUnary(Context* context, const Buffer* in, Buffer* out) override {
    return start_unary(state_, sender_, context, in, out);
  }

  Reactor* Score(Context* context, const Buffer* in, Buffer* out) override {
    return start_score(state_, sender_, context, in, out);
  }

  Reactor* Tokenize(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::TokenizeRequest, v1::TokenizeResult>(
        context, in, out,
        [this](const auto& request, auto* result) { return tokenize(request, result); });
  }

  Reactor* Detokenize(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::DetokenizeRequest, v1::DetokenizeResult>(
        context, in, out,
        [this](const auto& request, auto* result) { return detokenize(request, result); });
  }

  Reactor* ApplyTemplate(Context* context, const Buffer* in, Buffer* out) override {
    return reply<v1::ApplyTemplateRequest, v1::ApplyTemplateResult>(
        context, in, out,
        [this](const auto& request, auto* result) { return apply_template(request, result); });
  }

 private:
  Error tokenize(const v1::TokenizeRequest& in, v1::TokenizeResult* out) const {
    if (Error error = check(in.model())) return error;
    std::vector<int32_t> ids;
    if (Error error = encode_text(in.text(), in.text_options(), engine(), state_.limits, &ids))
      return error;
    set_ids(ids, out->mutable_token_ids());
    if (in.has_pieces() && !in.pieces()) return {};
    for (const int32_t id : ids) {
      const std::string_view piece = engine().tokenizer()->token_piece(id);
      out->add_pieces(piece.data(), piece.size());
    }
    return {};
  }

  Error detokenize(const v1::DetokenizeRequest& in, v1::DetokenizeResult* out) const {
    if (Error error = check(in.model())) return error;
    const Tokenizer* tokenizer = engine().tokenizer();
    if (!tokenizer)
      return ApiError{.code = Code::kFailedPrecondition,
                      .reason = "FEATURE_DISABLED",
                      .message = "the model has no tokenizer"};
    std::vector<int32_t> ids;
    if (Error error = to_token_ids(in.token_ids(), "token_ids", tokenizer->vocab_size(), &ids))
      return error;
    out->set_text(
        tokenizer->decode(ids, !in.has_skip_special_tokens() || in.skip_special_tokens()));
    return {};
  }

  Error apply_template(const v1::ApplyTemplateRequest& in, v1::ApplyTemplateResult* out) const {
    if (Error error = check(in.model())) return error;
    if (Error error = render_chat(in.chat(), engine(), out->mutable_text())) return error;
    std::vector<int32_t> ids;
    if (Error error = encode_rendered(out->text(), engine(), state_.limits, &ids)) return error;
    set_ids(ids, out->mutable_token_ids());
    return {};
  }

  // A draining server still answers these.
  Error check(const std::string& name) const {
    if (Error error = state_.check_loaded()) return error;
    return check_model(name, engine());
  }

  const Engine& engine() const { return *state_.engine(); }

  ServingState& state_;
  Sender sender_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_inference_service(ServingState& state) {
  return std::make_unique<InferenceService>(state);
}

}  // namespace tern
