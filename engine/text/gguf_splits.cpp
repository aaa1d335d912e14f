#include "engine/text/gguf_splits.h"

#include <algorithm>
#include <array>

#include "engine/text/bpe_files.h"

namespace tern {
namespace {

using std::string_view;

// Contractions in either case, and what several patterns end with.
#define TERN_CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TERN_SYMBOLS R"( ?[^\s\p{L}\p{N}]+[\r\n]*)"
#define TERN_SPACES R"(\s*[\r\n]+|\s+(?!\S)|\s+)"
#define TERN_LETTERS R"([^\r\n\p{L}\p{N}]?\p{L}+)"
#define TERN_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define TERN_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define TERN_CASED(ending)                                                                         \
  R"([^\r\n\p{L}\p{N}]?)" TERN_UPPER "*" TERN_LOWER "+" ending R"(|[^\r\n\p{L}\p{N}]?)" TERN_UPPER \
  "+" TERN_LOWER "*" ending
#define TERN_ASCII_SYMBOL R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])"
#define TERN_WORDS TERN_ASCII_SYMBOL R"([A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"

constexpr string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr string_view kDigit = R"(\p{N})";
constexpr string_view kThreeDigits = R"(\p{N}{1,3})";
constexpr string_view kLines = R"([^\n]+|[\n]+)";
constexpr string_view kHanKana = R"([一-龥぀-ゟ゠-ヿ]+)";

// The letters with case of Unicode's early versions, as DeepSeek's file lists them.
constexpr string_view kCasedLetters =
    R"(\s?[)"
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-"
    "ᴫᵫ-"
    "ᵷᵹ-"
    "ᶚ"
    "Ḁ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻ"
    "Ȿ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-"
    "𐲲𐳀-"
    "𐳲𑢠-"
    "𑣟𞤀-𞥃"
    "]+";

// Where the reference's pattern would take quadratic time, an equal one that does not: spaces at
// the end begin where no space stands before (DeepSeek LLM); letters and single spaces between them
// in one pass (EXAONE).
constexpr std::array kDefault = {string_view(R"([\p{P}$+<=>^~|]+)"), kGpt2,
                                 string_view(R"(\p{N}+)"), string_view("[0-9][0-9][0-9]")};
constexpr std::array kGpt2Only = {kGpt2};
constexpr std::array kDigitsGpt2 = {kDigit, kGpt2};
constexpr std::array kLlama3 = {kLlama3Pattern};
constexpr std::array kQwen2 = {kQwen2Pattern};
constexpr std::array kQwen35 = {kQwen35Pattern};
constexpr std::array kLinesOnly = {kLines};
constexpr std::array kLaguna = {kLines, kQwen2Pattern};
constexpr std::array kDeepseekLlm = {string_view("[\r\n]"),
                                     kCasedLetters,
                                     string_view(R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)"),
                                     string_view(R"((?<!\s)\s++$)"),
                                     string_view(R"([一-龥ࠀ-一가-퟿]+)"),
                                     string_view(R"(\p{N}+)")};
constexpr std::array kDeepseekCoder = {string_view("[\r\n]"), string_view(R"(\s?\p{L}+)"),
                                       string_view(R"(\s?\p{P}+)"),
                                       string_view(R"([一-龥ࠀ-一가-퟿]+)"), kDigit};
constexpr std::array kDeepseekV3 = {
    kThreeDigits, kHanKana, string_view(TERN_WORDS R"(| ?[\p{P}\p{S}]+[\r\n]*|)" TERN_SPACES)};
constexpr std::array kSpark = {kThreeDigits, kHanKana,
                               string_view(TERN_WORDS R"(| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)"),
                               kDigit};
constexpr std::array kYoutu = {
    string_view(
        R"([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+)"),
    string_view(
        TERN_CASED(TERN_CONTRACTION "?") R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" TERN_SPACES)};
constexpr std::array kFalcon = {string_view(R"([\p{P}$+<=>^~|`]+)"), kGpt2,
                                string_view("[0-9][0-9][0-9]")};
constexpr std::array kBloom = {string_view(R"( ?[^(\s|.,!?…。，、।۔،)]+)")};
constexpr std::array kViking = {kBloom[0], kDigit};
constexpr std::array kJais2 = {
    string_view(TERN_CONTRACTION
                "|" TERN_LETTERS R"(|\p{N}{1,3}|)" TERN_SYMBOLS
                R"(|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S))"
                R"(|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})")};
constexpr std::array kTekken = {
    string_view(TERN_CASED("") R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" TERN_SPACES)};
constexpr std::array kGpt4o = {string_view(
    TERN_CASED(TERN_CONTRACTION "?") R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" TERN_SPACES)};
constexpr std::array kChameleon = {
    string_view("<sentinel:[0-9]+>"),       string_view("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"),
    string_view(R"(([\t\n]|    |  ))"),     kDigit,
    string_view(R"([\p{P}!-/:-@\[-`{-~])"), kGpt2};
constexpr std::array kBailing = {string_view(
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*)"
    R"(|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr std::array kSeedCoder = {
    string_view(TERN_CONTRACTION "|" TERN_LETTERS R"(|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|)" TERN_SPACES)};
constexpr std::array kUfakzeka = {
    string_view(TERN_LETTERS R"(|\p{N}|)" TERN_SYMBOLS "|" TERN_SPACES)};
constexpr std::array kAfmoe = {
    string_view("[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-"
                "៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+"),
    kDeepseekV3[2]};
constexpr std::array kExaoneMoe = {
    string_view(TERN_CONTRACTION R"(|[^\r\n\p{L}\p{N}]?\p{L}(?:[\p{L}\p{M}]++| (?=\p{L}))*+|\p{N})"
                                 R"(| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr std::array kMinicpm5 = {
    kThreeDigits,
    string_view(TERN_CONTRACTION "|" TERN_LETTERS R"(|\p{N}+|)" TERN_SYMBOLS "|" TERN_SPACES)};

struct Row {
  string_view name;
  GgufSplit split;
};

// The names that llama.cpp's converter writes.
constexpr Row kRows[] = {
    {"", {.patterns = kDefault}},
    {"default", {.patterns = kDefault}},
    {"llama3", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"llama-v3", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"llama-bpe", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"falcon3", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"falcon-h1", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"pixtral", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"midm-2.0", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"lfm2", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"jina-v5-nano", {.patterns = kLlama3, .ignore_merges = true, .add_bos = true}},
    {"minicpm5", {.patterns = kMinicpm5, .ignore_merges = true}},
    {"dbrx", {.patterns = kLlama3}},
    {"smaug-bpe", {.patterns = kLlama3}},
    {"chatglm-bpe", {.patterns = kLlama3}},
    {"glm4", {.patterns = kLlama3, .ignore_merges = true}},
    {"glm5", {.patterns = kLlama3, .ignore_merges = true}},
    {"deepseek-llm", {.patterns = kDeepseekLlm}},
    {"deepseek-coder", {.patterns = kDeepseekCoder}},
    {"deepseek-v3", {.patterns = kDeepseekV3}},
    {"hunyuan-dense", {.patterns = kDeepseekV3}},
    {"joyai-llm", {.patterns = kDeepseekV3}},
    {"hy_v4", {.patterns = kDeepseekV3}},
    {"spark2_5", {.patterns = kSpark}},
    {"youtu", {.patterns = kYoutu, .ignore_merges = true}},
    {"falcon", {.patterns = kFalcon}},
    {"starcoder", {.patterns = kDigitsGpt2}},
    {"refact", {.patterns = kDigitsGpt2}},
    {"command-r", {.patterns = kDigitsGpt2}},
    {"smollm", {.patterns = kDigitsGpt2}},
    {"codeshell", {.patterns = kDigitsGpt2}},
    {"exaone", {.patterns = kDigitsGpt2}},
    {"minerva-7b", {.patterns = kDigitsGpt2}},
    {"mellum2", {.patterns = kDigitsGpt2}},
    {"gpt-2", {.patterns = kGpt2Only}},
    {"phi-2", {.patterns = kGpt2Only}},
    {"mpt", {.patterns = kGpt2Only}},
    {"olmo", {.patterns = kGpt2Only}},
    {"jais", {.patterns = kGpt2Only}},
    {"trillion", {.patterns = kGpt2Only}},
    {"granite-docling", {.patterns = kGpt2Only}},
    {"exaone4", {.patterns = kGpt2Only}},
    {"gigachat", {.patterns = kGpt2Only}},
    {"a.x-4.0", {.patterns = kGpt2Only}},
    {"mellum", {.patterns = kGpt2Only}},
    {"modern-bert", {.patterns = kGpt2Only}},
    {"roberta-bpe", {.patterns = kGpt2Only}},
    {"jina-es", {.patterns = kGpt2Only}},
    {"jina-de", {.patterns = kGpt2Only}},
    {"jina-v1-en", {.patterns = kGpt2Only}},
    {"jina-v2-es", {.patterns = kGpt2Only}},
    {"jina-v2-de", {.patterns = kGpt2Only}},
    {"jina-v2-code", {.patterns = kGpt2Only}},
    {"qwen2", {.patterns = kQwen2}},
    {"deepseek-r1-qwen", {.patterns = kQwen2}},
    {"kormo", {.patterns = kQwen2}},
    {"f2llmv2", {.patterns = kQwen2}},
    {"megrez", {.patterns = kQwen2}},
    {"stablelm2", {.patterns = kQwen2}},
    {"hunyuan", {.patterns = kQwen2}},
    {"solar-open", {.patterns = kQwen2}},
    {"grok-2", {.patterns = kQwen2}},
    {"qwen35", {.patterns = kQwen35}},
    {"laguna", {.patterns = kLaguna}},
    {"ufakzeka", {.patterns = kUfakzeka}},
    {"poro-chat", {.patterns = kBloom}},
    {"bloom", {.patterns = kBloom}},
    {"gpt3-finnish", {.patterns = kBloom}},
    {"viking", {.patterns = kViking}},
    {"jais-2", {.patterns = kJais2}},
    {"tekken", {.patterns = kTekken, .ignore_merges = true, .add_bos = true}},
    {"chameleon", {.patterns = kChameleon, .add_bos = true}},
    {"gpt-4o", {.patterns = kGpt4o}},
    {"llama4", {.patterns = kGpt4o}},
    {"kanana2", {.patterns = kGpt4o}},
    {"talkie", {.patterns = kGpt4o}},
    {"minimax-m2", {.patterns = kGpt4o}},
    {"granite-embed-multi-97m", {.patterns = kGpt4o, .ignore_merges = true}},
    {"tiny_aya", {.patterns = kGpt4o, .digit_groups = true}},
    {"cohere2moe", {.patterns = kGpt4o, .digit_groups = true}},
    {"superbpe", {.digit_groups = true}},
    {"afmoe", {.patterns = kAfmoe, .digit_groups = true}},
    {"bailingmoe", {.patterns = kBailing}},
    {"bailingmoe2", {.patterns = kBailing}},
    {"llada-moe", {.patterns = kBailing}},
    {"seed-coder", {.patterns = kSeedCoder}},
    {"exaone-moe", {.patterns = kExaoneMoe}},
    {"gemma4", {.patterns = kLinesOnly, .add_bos = true, .spells_bytes = false}},
    {"granite-embed-multi-311m", {.patterns = kLinesOnly, .add_bos = true, .spells_bytes = false}},
    {"sarvam-moe", {.patterns = kLinesOnly, .spells_bytes = false}},
};

}  // namespace

std::optional<GgufSplit> find_gguf_split(std::string_view pre) {
  const auto row = std::ranges::find(kRows, pre, &Row::name);
  return row == std::end(kRows) ? std::nullopt : std::optional(row->split);
}

}  // namespace tern
