#include "engine/text/parts/decoder.h"

#include <algorithm>

#include "base/utf8.h"
#include "base/utf8_char.h"
#include "engine/text/parts/byte_level.h"
#include "engine/text/parts/byte_tokens.h"

namespace tern {
namespace {

constexpr std::string_view kReplacementCharacter = "\ufffd";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty() || text.find(from) == text.npos) return;
  std::string out;
  size_t done = 0;
  for (size_t at; (at = text.find(from, done)) != text.npos; done = at + from.size()) {
    out += std::string_view(text).substr(done, at - done);
    out += to;
  }
  text = out + text.substr(done);
}

void concatenate(std::vector<std::string>& tokens) {
  std::string all;
  for (const std::string& token : tokens) all += token;
  tokens.assign(1, std::move(all));
}

class ByteLevelDecoder final : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) apply_between(token);
    concatenate(tokens);
    tokens[0] = sanitize_utf8(tokens[0]);
  }
  void apply_between(std::string& token) const override {
    if (auto bytes = byte_level_decode(token)) token = *std::move(bytes);  // else it is no spelling
  }
  bool fuses() const override { return true; }
};

class ByteFallbackDecoder final : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::vector<std::string> out;
    std::string bytes;
    const auto flush = [&] {
      if (!find_invalid_utf8(bytes))
        out.push_back(bytes);
      else
        for (size_t i = 0; i < bytes.size(); ++i) out.emplace_back(kReplacementCharacter);
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = parse_byte_token(token)) {
        bytes += char(*byte);
        continue;
      }
      if (!bytes.empty()) flush();
      out.push_back(std::move(token));
    }
    if (!bytes.empty()) flush();
    tokens = std::move(out);
  }
  void apply_between(std::string& token) const override {
    if (const auto byte = parse_byte_token(token)) token.assign(1, char(*byte));
  }
};

class FuseDecoder final : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override { concatenate(tokens); }
  void apply_between(std::string&) const override {}
  bool fuses() const override { return true; }
};

class ReplaceDecoder final : public Decoder {
 public:
  ReplaceDecoder(Regex regex, std::string content)
      : regex_(std::move(regex)), content_(std::move(content)) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) apply_between(token);
  }
  void apply_between(std::string& token) const override {
    if (find_invalid_utf8(token)) return;
    // Where a pattern exceeds its limits the token stays as it is spelled.
    if (auto replaced = regex_.replace_all(token, content_); replaced.ok())
      token = *std::move(replaced);
  }

 private:
  Regex regex_;
  std::string content_;
};

class MetaspaceDecoder final : public Decoder {
 public:
  MetaspaceDecoder(std::string replacement, PrependScheme scheme)
      : replacement_(std::move(replacement)), scheme_(scheme) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], replacement_, i == 0 && scheme_ != PrependScheme::kNever ? "" : " ");
  }
  void apply_between(std::string& token) const override { replace_all(token, replacement_, " "); }

 private:
  std::string replacement_;
  PrependScheme scheme_;
};

class WordPieceDecoder final : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void apply(std::vector<std::string>& tokens) const override {
    if (tokens.empty()) return;
    if (cleanup_) clean_up(tokens[0]);
    for (size_t i = 1; i < tokens.size(); ++i) apply_between(tokens[i]);
  }
  void apply_between(std::string& token) const override {
    token = token.starts_with(prefix_) ? token.substr(prefix_.size()) : ' ' + token;
    if (cleanup_) clean_up(token);
  }

 private:
  static void clean_up(std::string& token) {
    constexpr std::pair<std::string_view, std::string_view> kRules[] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : kRules) replace_all(token, from, to);
  }

  std::string prefix_;
  bool cleanup_;
};

class StripDecoder final : public Decoder {
 public:
  StripDecoder(std::string content, int64_t left, int64_t right)
      : content_(std::move(content)), left_(left), right_(right) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) apply_between(token);
  }
  void apply_between(std::string& token) const override {
    std::string_view rest = token;
    for (int64_t i = 0; i < left_ && rest.starts_with(content_); ++i)
      rest.remove_prefix(content_.size());
    for (int64_t i = 0; i < right_ && rest.ends_with(content_); ++i)
      rest.remove_suffix(content_.size());
    token = std::string(rest);
  }
  bool trims_ends() const override { return true; }

 private:
  std::string content_;
  int64_t left_, right_;
};

class BpeDecoder final : public Decoder {
 public:
  explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
  }
  void apply_between(std::string& token) const override { replace_all(token, suffix_, " "); }

 private:
  std::string suffix_;
};

class SentencePieceDecoder final : public Decoder {
 public:
  SentencePieceDecoder(bool add_dummy_prefix, bool remove_extra_whitespaces)
      : drops_first_(add_dummy_prefix || remove_extra_whitespaces),
        drops_all_(remove_extra_whitespaces) {}

  void apply(std::vector<std::string>& tokens) const override {
    std::string text, bytes;
    bool dropping = drops_first_;
    for (std::string& token : tokens) {
      if (const auto byte = parse_byte_token(token)) {
        bytes += char(*byte);
        continue;
      }
      append_characters(text, bytes);
      dropping = dropping && text.empty();
      if (dropping && token.starts_with(kSpaceSymbol)) {
        token.erase(0, kSpaceSymbol.size());
        dropping = drops_all_;
      }
      apply_between(token);
      text += token;
    }
    append_characters(text, bytes);
    tokens.assign(1, std::move(text));
  }
  void apply_between(std::string& token) const override {
    if (const auto byte = parse_byte_token(token))
      token.assign(1, char(*byte));
    else
      replace_all(token, kSpaceSymbol, " ");
  }
  bool fuses() const override { return true; }

 private:
  static constexpr std::string_view kSpaceSymbol = "\u2581";

  /// Moves `bytes` to `text`: whole characters, and U+FFFD for every byte that belongs to none.
  static void append_characters(std::string& text, std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const Utf8Char c = first_char(std::string_view(bytes).substr(at));
      const bool valid = c.state == Utf8Char::State::kValid;
      text += valid ? std::string_view(bytes).substr(at, c.size) : kReplacementCharacter;
      at += valid ? c.size : 1;
    }
    bytes.clear();
  }

  bool drops_first_, drops_all_;
};

class DecoderSequence final : public Decoder {
 public:
  explicit DecoderSequence(std::vector<DecoderPtr> parts) : parts_(std::move(parts)) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (const DecoderPtr& part : parts_) part->apply(tokens);
  }
  void apply_between(std::string& token) const override {
    bool fused = false;  // then a part sees the ends of the text, which this token does not have
    for (const DecoderPtr& part : parts_) {
      if (!fused || !part->trims_ends()) part->apply_between(token);
      fused |= part->fuses();
    }
  }
  bool fuses() const override {
    return std::ranges::any_of(parts_, [](const DecoderPtr& part) { return part->fuses(); });
  }

 private:
  std::vector<DecoderPtr> parts_;
};

}  // namespace

DecoderPtr make_byte_level_decoder() {
  return std::make_unique<ByteLevelDecoder>();
}

DecoderPtr make_byte_fallback_decoder() {
  return std::make_unique<ByteFallbackDecoder>();
}

DecoderPtr make_fuse_decoder() {
  return std::make_unique<FuseDecoder>();
}

DecoderPtr make_replace_decoder(Regex regex, std::string content) {
  return std::make_unique<ReplaceDecoder>(std::move(regex), std::move(content));
}

DecoderPtr make_metaspace_decoder(std::string replacement, PrependScheme scheme) {
  return std::make_unique<MetaspaceDecoder>(std::move(replacement), scheme);
}

DecoderPtr make_wordpiece_decoder(std::string prefix, bool cleanup) {
  return std::make_unique<WordPieceDecoder>(std::move(prefix), cleanup);
}

DecoderPtr make_strip_decoder(std::string content, int64_t left, int64_t right) {
  return std::make_unique<StripDecoder>(std::move(content), left, right);
}

DecoderPtr make_bpe_decoder(std::string suffix) {
  return std::make_unique<BpeDecoder>(std::move(suffix));
}

DecoderPtr make_sentencepiece_decoder(bool add_dummy_prefix, bool remove_extra_whitespaces) {
  return std::make_unique<SentencePieceDecoder>(add_dummy_prefix, remove_extra_whitespaces);
}

DecoderPtr make_decoder_sequence(std::vector<DecoderPtr> parts) {
  return std::make_unique<DecoderSequence>(std::move(parts));
}

}  // namespace tern
