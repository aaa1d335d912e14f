#include "engine/text/sentencepiece_model.h"

#include "engine/text/parts/vocabulary.h"
#include "engine/text/protobuf_reader.h"

namespace tern {
namespace {

using Piece = SentencePieceModel::Piece;

Result<Piece> read_piece(std::string_view bytes) {
  Piece piece;
  ProtobufReader reader(bytes);
  while (!reader.done()) {
    TERN_ASSIGN(const ProtobufField field, reader.next());
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2) piece.score = field.as_float();
    if (field.number == 3) piece.type = PieceType(field.as_int32());
  }
  if (piece.text.empty()) return invalid_argument("its text is empty");
  if (piece.type < PieceType::kNormal || piece.type > PieceType::kByte)
    return invalid_argument("it has type " + std::to_string(int32_t(piece.type)));
  return piece;
}

std::optional<int32_t> read_id(const ProtobufField& field) {
  return field.as_int32() < 0 ? std::nullopt : std::optional(field.as_int32());
}

Status read_trainer_spec(std::string_view bytes, SentencePieceModel& model) {
  ProtobufReader reader(bytes);
  while (!reader.done()) {
    TERN_ASSIGN(const ProtobufField field, reader.next());
    switch (field.number) {
      case 3:
        model.kind = SentencePieceModel::Kind(field.as_int32());
        break;
      case 24:
        model.treat_whitespace_as_suffix = field.integer != 0;
        break;
      case 35:
        model.byte_fallback = field.integer != 0;
        break;
      case 41:
        model.bos_id = read_id(field);
        break;
      case 42:
        model.eos_id = read_id(field);
        break;
      case 44:
        model.unk_surface = field.bytes;
        break;
      default:
        break;
    }
  }
  return {};
}

Status read_normalizer_spec(std::string_view bytes, SentencePieceModel& model) {
  ProtobufReader reader(bytes);
  while (!reader.done()) {
    TERN_ASSIGN(const ProtobufField field, reader.next());
    switch (field.number) {
      case 2:
        model.charsmap = field.bytes;
        break;
      case 3:
        model.add_dummy_prefix = field.integer != 0;
        break;
      case 4:
        model.remove_extra_whitespaces = field.integer != 0;
        break;
      case 5:
        model.escape_whitespaces = field.integer != 0;
        break;
      default:
        break;
    }
  }
  return {};
}

/// Texts come out as they are encoded: tern has no rules for the way back.
Status check_denormalizer_spec(std::string_view bytes) {
  ProtobufReader reader(bytes);
  while (!reader.done()) {
    TERN_ASSIGN(const ProtobufField field, reader.next());
    if (field.number == 2 && !field.bytes.empty())
      return {Code::kUnimplemented, "tern does not know denormalizer_spec.precompiled_charsmap"};
  }
  return {};
}

Status read_field(const ProtobufField& field, SentencePieceModel& model) {
  switch (field.number) {
    case 1: {
      if (int64_t(model.pieces.size()) >= kMaxVocabSize)
        return invalid_argument("there are more than " + std::to_string(kMaxVocabSize) + " pieces");
      auto piece = read_piece(field.bytes);
      if (!piece.ok())
        return piece.status().with_context("piece " + std::to_string(model.pieces.size()));
      if (piece->type == PieceType::kUnknown) model.unk_id = int32_t(model.pieces.size());
      model.pieces.push_back(*std::move(piece));
      return {};
    }
    case 2:
      return read_trainer_spec(field.bytes, model).with_context("trainer_spec");
    case 3:
      return read_normalizer_spec(field.bytes, model).with_context("normalizer_spec");
    case 5:
      return check_denormalizer_spec(field.bytes);
    default:
      return {};
  }
}

/// An id that names no control piece is none: files of other tools keep the defaults 1 and 2.
void check_control(const SentencePieceModel& model, std::optional<int32_t>& id) {
  const bool fits = id && size_t(*id) < model.pieces.size() &&
                    model.pieces[size_t(*id)].type == PieceType::kControl;
  if (!fits) id.reset();
}

}  // namespace

Result<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes) {
  SentencePieceModel model;
  model.bos_id = 1;  // the format's defaults
  model.eos_id = 2;
  ProtobufReader reader(bytes);
  while (!reader.done()) {
    TERN_ASSIGN(const ProtobufField field, reader.next());
    TERN_TRY(read_field(field, model));
  }
  if (model.pieces.empty()) return invalid_argument("it holds no pieces");
  check_control(model, model.bos_id);
  check_control(model, model.eos_id);
  return model;
}

}  // namespace tern
