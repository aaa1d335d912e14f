// Between the wire's messages and the engine's types: validation, defaults, names. No gRPC here.
#pragma once

#include <optional>
#include <string>

#include "engine/serve/engine.h"
#include "server/api/api_error.h"
#include "tern/v1/control.pb.h"
#include "tern/v1/inference.pb.h"

namespace tern {

/// What an operator allows in one request.
struct RequestLimits {
  uint64_t max_prompt_bytes = 4u << 20;
  int32_t max_stop_strings = 16;
  int32_t max_stop_string_bytes = 256;
  int32_t max_stop_token_ids = 64;
  int32_t max_logit_bias = 1024;  ///< entries
  int32_t max_allowed_token_ids = 65536;
  int32_t max_bad_words = 64;  ///< each at most max_stop_string_bytes
  int32_t max_n = 8;           ///< answers to one prompt
  /// How many tokens of one stream may wait for a client that reads slowly; then the request leaves
  /// the batch.
  int32_t max_buffered_tokens = 256;
  Seconds max_reader_pause{10};        ///< that it may stay out before it is ended
  Seconds max_request_duration{3600};  ///< for requests without a nearer deadline; 0 = unlimited
};

/// A Generate request that can be submitted.
struct GenerateCall {
  Request request;
  int32_t n = 1;          ///< of the request
  v1::Accepted accepted;  ///< complete but for queue_position
  bool want_text = true;
  bool want_token_ids = false;
  bool want_prefill_progress = false;
  int32_t stream_interval = 1;  ///< tokens
};

/// Checks every field of `in`, fills the model's defaults in, renders and tokenises. The request_id
/// is minted where it is empty; the deadline is the caller's business. Refuses each field whose
/// feature is missing.
std::optional<ApiError> to_call(const v1::GenerateRequest& in, const Engine& engine,
                                const RequestLimits& limits, GenerateCall* out);

/// Converts a Score request, whose prompt alone is computed.
std::optional<ApiError> to_score_call(const v1::ScoreRequest& in, const Engine& engine,
                                      const RequestLimits& limits, GenerateCall* out);

/// `name` must be empty or the served model's: MODEL_NOT_FOUND.
std::optional<ApiError> check_model(const std::string& name, const Engine& engine);

EncodeOptions to_encode_options(const v1::TextOptions& options);

/// Text to ids as `options` say. FEATURE_DISABLED where the model has no tokenizer.
std::optional<ApiError> encode_text(const std::string& text, const v1::TextOptions& options,
                                    const Engine& engine, const RequestLimits& limits,
                                    std::vector<int32_t>* ids);

/// Renders `chat` by the model's template. CHAT_TEMPLATE where the template refuses the messages,
/// FEATURE_DISABLED where the model has none, or where tools would not show in the prompt.
std::optional<ApiError> render_chat(const v1::ChatInput& chat, const Engine& engine,
                                    std::string* text);

/// Ids of a rendered chat: special tokens are parsed, none is added.
std::optional<ApiError> encode_rendered(const std::string& text, const Engine& engine,
                                        const RequestLimits& limits, std::vector<int32_t>* ids);

/// `ids` as the engine's type; names the first that is not below vocab_size as `field`[i].
std::optional<ApiError> to_token_ids(const google::protobuf::RepeatedField<uint32_t>& ids,
                                     const std::string& field, int32_t vocab_size,
                                     std::vector<int32_t>* out);

v1::Finished to_wire(const FinishedEvent& event, int32_t index);

/// `tokenizer` may be null: then there are no bytes of tokens.
void to_wire(const std::vector<TokenLogprobs>& in, const Tokenizer* tokenizer,
             google::protobuf::RepeatedPtrField<v1::Logprobs>* out);

v1::ModelInfo to_wire(const Engine& engine);
v1::EngineStats to_wire(const EngineStats& stats);

/// The asked `sections` of it; all where none is named. Unknown sections are refused.
std::optional<ApiError> to_wire(const EngineStats& stats,
                                const google::protobuf::RepeatedField<int>& sections,
                                v1::Load* out);

/// A UUID of version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits.
std::string uuid_v7();

}  // namespace tern
