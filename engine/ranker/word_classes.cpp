#include "engine/ranker/word_classes.h"

#include <array>
#include <cstddef>
#include <string_view>

namespace tern {
namespace {

// A word belongs to the first class that lists it. The lists are part of the features' definition:
// who changes them counts kFeaturesVersion up.
constexpr std::string_view kClasses[kNumWordClasses] = {
    // texts of pages
    "essay article blog report paper thesis chapter speech script screenplay monologue dialogue "
    "story tale novel fiction narrative fanfiction biography manual guide tutorial curriculum "
    "syllabus lecture",
    // texts of lines
    "letter email message post tweet caption slogan title headline name joke haiku limerick riddle "
    "sentence tagline bio",
    // verse
    "poem song lyrics rap sonnet verse ballad",
    // programs
    "code program function python javascript java sql html css query algorithm regex class api "
    "bash "
    "excel",
    // cooking
    "recipe cook bake ingredients dish meal diet menu",
    // plans
    "plan itinerary schedule strategy proposal outline roadmap agenda routine workout campaign "
    "budget",
    // lists
    "list example idea way tip step reason thing fact suggestion option bullet point table "
    "question "
    "method type benefit advantage disadvantage pro con",
    // what takes room to say
    "explain describe discuss analyze elaborate detail detailed comprehensive thorough depth "
    "evaluate review compare contrast difference explore examine",
    // what is to be short
    "brief briefly short concise simple simply quick only single just one word summary summarize "
    "summarise tldr",
    // questions for a name or a date
    "who when where which whom whose",
    // questions for yes or no, and their kind
    "is are was were does do did can could will would should has have",
    // work on a given text
    "translate rewrite rephrase paraphrase edit correct convert fix proofread change replace "
    "reword "
    "classify identify categorize extract select choose determine detect label sort",
    // sums
    "calculate compute solve sum plus minus percent equation probability many much",
    // making something
    "write create generate compose draft develop design make produce build invent come",
    // open questions
    "what why how",
    // requests for something known
    "give tell suggest recommend provide show help find",
};

struct Entry {
  uint64_t hash = 0;
  uint8_t word_class = 0;  // 0: free
};

// A hash table with at most every second place taken; the next place is tried where one is.
constexpr size_t kPlaces = 512;
using Places = std::array<Entry, kPlaces>;

constexpr size_t place_of(const Places& places, uint64_t hash) {
  size_t place = hash % kPlaces;
  while (places[place].word_class != 0 && places[place].hash != hash) place = (place + 1) % kPlaces;
  return place;
}

constexpr Places make_places() {
  Places places{};
  int taken = 0;
  for (int c = 0; c < kNumWordClasses; ++c) {
    uint64_t hash = kWordHashSeed;
    const std::string_view words = kClasses[c];
    for (size_t i = 0; i <= words.size(); ++i) {
      if (i < words.size() && words[i] != ' ') {
        hash = add_to_word_hash(hash, words[i]);
        continue;
      }
      Entry& entry = places[place_of(places, hash)];
      taken += entry.word_class == 0;
      if (entry.word_class == 0) entry = {hash, uint8_t(c + 1)};
      hash = kWordHashSeed;
    }
  }
  if (2 * taken > int(kPlaces)) throw "too many words for the table";  // does not compile then
  return places;
}

constexpr Places kPlacesOfWords = make_places();

}  // namespace

int word_class(uint64_t word_hash) {
  return kPlacesOfWords[place_of(kPlacesOfWords, word_hash)].word_class;
}

}  // namespace tern
