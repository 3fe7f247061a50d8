// A recursive descent over the pattern that writes the PCRE2 form as it goes.
#include "compiler/import/SplitPattern.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"

using namespace llvm;

namespace quartet {
namespace {

constexpr size_t maxPatternBytes = 4096;
constexpr unsigned maxGroupDepth = 16, maxCount = 1000;

/// What White_Space holds, for use within brackets.
constexpr const char *whiteSpace =
    R"(\x{09}-\x{0d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

/// A property with what Unicode 15 to 16 added to it, for use within brackets.
struct Property {
  const char *name;
  const char *set;
};
constexpr Property properties[] = {
    {"L", R"(\p{L}\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc})"
          R"(\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65}\x{10d6f}-\x{10d85})"
          R"(\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240}\x{11380}-\x{11389})"
          R"(\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1})"
          R"(\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10})"
          R"(\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446})"
          R"(\x{13460}-\x{143fa}\x{16100}-\x{1611d}\x{16d40}-\x{16d6c})"
          R"(\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a})"
          R"(\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed})"
          R"(\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})"},
    {"M", R"(\p{M}\x{897}\x{cf3}\x{ece}\x{10d69}-\x{10d6d})"
          R"(\x{10efc}-\x{10eff}\x{11241}\x{113b8}-\x{113c0}\x{113c2})"
          R"(\x{113c5}\x{113c7}-\x{113ca}\x{113cc}-\x{113d0}\x{113d2})"
          R"(\x{113e1}-\x{113e2}\x{11f00}-\x{11f01}\x{11f03})"
          R"(\x{11f34}-\x{11f3a}\x{11f3e}-\x{11f42}\x{11f5a}\x{13440})"
          R"(\x{13447}-\x{13455}\x{1611e}-\x{1612f}\x{1e08f})"
          R"(\x{1e4ec}-\x{1e4ef}\x{1e5ee}-\x{1e5ef})"},
    {"N", R"(\p{N}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3})"
          R"(\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139})"
          R"(\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3})"
          R"(\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})"},
};

/// Pairs of letters that full case folding makes of one character.
constexpr const char *foldedPairs[] = {"ss", "st", "ff", "fi", "fl"};

class Converter {
public:
  explicit Converter(StringRef pattern) : pattern(pattern) {}

  Expected<std::string> run() {
    if (pattern.size() > maxPatternBytes)
      return createStringError(Twine(pattern.size()) +
                               " bytes found, expected at most " +
                               Twine(maxPatternBytes));
    bool nullable = alternatives(0, /*ignoreCase=*/false);
    if (problem.empty() && at < pattern.size())
      refuse("')' without '('");
    if (problem.empty() && nullable) {
      at = 0;
      refuse("it can match no text at all, expected at least one character");
    }
    if (!problem.empty())
      return createStringError(problem);
    return std::move(out);
  }

private:
  enum class Atom { Single, Group, Lookahead };

  bool done() const { return at == pattern.size() || !problem.empty(); }
  char peek() const { return at < pattern.size() ? pattern[at] : '\0'; }
  bool take(StringRef text) {
    if (!pattern.substr(at).starts_with(text))
      return false;
    at += text.size();
    return true;
  }
  void refuse(const Twine &what) {
    if (problem.empty())
      problem = ("at byte " + Twine(at) + ": " + what).str();
  }

  /// \returns whether they can match the empty text, like the functions below.
  bool alternatives(unsigned depth, bool ignoreCase) {
    bool nullable = sequence(depth, ignoreCase);
    while (!done() && take("|")) {
      out += '|';
      nullable |= sequence(depth, ignoreCase);
    }
    return nullable;
  }

  bool sequence(unsigned depth, bool ignoreCase) {
    bool nullable = true;
    char before = 0; // the letter just before, in lower case
    while (!done() && peek() != '|' && peek() != ')') {
      char letter = isAlpha(peek()) ? toLower(peek()) : '\0';
      for (StringRef pair : foldedPairs)
        if (ignoreCase && letter && pair[0] == before && pair[1] == letter)
          refuse("'" + pair + "' under (?i: ) is not supported");
      before = letter;
      bool atomNullable = false;
      Atom kind = atom(depth, ignoreCase, atomNullable);
      atomNullable |= quantifier(kind);
      nullable &= atomNullable;
    }
    return nullable;
  }

  Atom atom(unsigned depth, bool ignoreCase, bool &nullable) {
    if (peek() == '(')
      return group(depth, ignoreCase, nullable);
    if (peek() == '[') {
      characterClass(ignoreCase);
    } else if (peek() == '\\') {
      std::string set;
      bool negated = false;
      if (!escapedSet(ignoreCase, set, negated))
        literal(escapedCharacter());
      else
        out += (negated ? "[^" : "[") + set + "]";
    } else if (StringRef(".{}*+?^$]").contains(peek())) {
      refuse("'" + Twine(peek()) + "' is not supported here");
    } else {
      uint32_t code = character();
      if (ignoreCase && code >= 0x80)
        refuse("a character outside ASCII under (?i: ) is not supported");
      literal(code);
    }
    return Atom::Single;
  }

  Atom group(unsigned depth, bool ignoreCase, bool &nullable) {
    if (depth == maxGroupDepth)
      refuse("groups nested deeper than " + Twine(maxGroupDepth));
    Atom kind = Atom::Group;
    if (take("(?i:")) {
      ignoreCase = true;
      out += "(?i:";
    } else if (take("(?=")) {
      kind = Atom::Lookahead;
      out += "(?=";
    } else if (take("(?!")) {
      kind = Atom::Lookahead;
      out += "(?!";
    } else if (take("(?:")) {
      out += "(?:";
    } else if (pattern.substr(at).starts_with("(?")) {
      refuse("this kind of group is not supported, expected one of '(', "
             "'(?:', '(?i:', '(?=', '(?!'");
    } else {
      take("(");
      out += "(?:";
    }
    if (!problem.empty())
      return kind;
    nullable = alternatives(depth + 1, ignoreCase) || kind == Atom::Lookahead;
    if (problem.empty() && !take(")"))
      refuse("')' expected");
    out += ')';
    return kind;
  }

  /// \returns whether the quantifier, if there is one, allows no repetition.
  bool quantifier(Atom kind) {
    if (done() || !StringRef("?*+{").contains(peek()))
      return false;
    if (kind == Atom::Lookahead || (kind == Atom::Group && peek() != '?')) {
      refuse("a repeated group is not supported");
      return false;
    }
    char sign = peek();
    bool nullable = sign == '?' || sign == '*';
    if (sign == '{') {
      unsigned least = 0;
      if (!counts(least))
        return false;
      nullable = least == 0;
    } else {
      out += sign;
      ++at;
      if (peek() == '?' || peek() == '+') // lazy, possessive
        out += pattern[at++];
    }
    if (!done() && StringRef("?*+{").contains(peek()))
      refuse("a quantifier after a quantifier is not supported");
    return nullable;
  }

  bool counts(unsigned &least) {
    StringRef rest = pattern.substr(at);
    StringRef body = rest.take_until([](char c) { return c == '}'; });
    auto [low, high] = body.drop_front().split(',');
    bool ranged = body.contains(',');
    unsigned most = 0;
    bool valid = body.size() < rest.size() && !low.getAsInteger(10, least) &&
                 (!ranged || high.empty() || !high.getAsInteger(10, most));
    if (!ranged || high.empty())
      most = std::max(least, 1u);
    if (!valid || least > most || most > maxCount || most == 0) {
      refuse("{n}, {n,} or {n,m} expected, with numbers up to " +
             Twine(maxCount));
      return false;
    }
    // Written anew: "007" or "+1" may not mean the same to both engines.
    out += "{" + utostr(least);
    if (ranged)
      out += high.empty() ? "," : "," + utostr(most);
    out += "}";
    at += body.size() + 1;
    return true;
  }

  void characterClass(bool ignoreCase) {
    take("[");
    out += take("^") ? "[^" : "[";
    bool empty = true;
    while (!done() && (peek() != ']' || empty)) {
      std::string set;
      bool negated = false;
      if (peek() == '[' || peek() == ']' ||
          pattern.substr(at).starts_with("&&")) {
        refuse("'" + Twine(peek()) + "' within [ ] must be escaped");
      } else if (peek() == '\\' && escapedSet(ignoreCase, set, negated)) {
        if (negated)
          refuse("a negated set within [ ] is not supported");
        out += set;
      } else {
        classRange(ignoreCase, empty);
      }
      empty = false;
    }
    if (problem.empty() && !take("]"))
      refuse("']' expected");
    out += ']';
  }

  void classRange(bool ignoreCase, bool first) {
    bool plainMinus = peek() == '-';
    uint32_t low = classCharacter(ignoreCase);
    if (plainMinus && !first && peek() != ']')
      refuse("'-' within [ ] must be escaped unless it is first or last");
    literal(low);
    if (peek() != '-' || pattern.substr(at).starts_with("-]"))
      return;
    ++at;
    if (peek() == '[' || at == pattern.size())
      return refuse("the end of a range expected");
    uint32_t high = classCharacter(ignoreCase);
    if (problem.empty() && high < low)
      return refuse("a range that ends before it starts");
    out += '-';
    literal(high);
  }

  uint32_t classCharacter(bool ignoreCase) {
    uint32_t code = peek() == '\\' ? escapedCharacter() : character();
    if (ignoreCase && code >= 0x80)
      refuse("a character outside ASCII under (?i: ) is not supported");
    return code;
  }

  /// Takes \s, \S, \p{..} or \P{..}. \returns false if none of them is next.
  bool escapedSet(bool ignoreCase, std::string &set, bool &negated) {
    if (take("\\s") || take("\\S")) {
      negated = pattern[at - 1] == 'S';
      set = whiteSpace;
      return true;
    }
    if (!take("\\p{") && !take("\\P{"))
      return false;
    negated = pattern[at - 2] == 'P';
    if (take("^"))
      negated = !negated;
    for (const Property &property : properties) {
      if (!take((Twine(property.name) + "}").str()))
        continue;
      if (ignoreCase)
        refuse("a property under (?i: ) is not supported");
      set = property.set;
      return true;
    }
    refuse("unknown property, expected one of L, M, N");
    return true;
  }

  uint32_t escapedCharacter() {
    ++at;
    switch (char c = peek()) {
    case 'r':
      ++at;
      return '\r';
    case 'n':
      ++at;
      return '\n';
    case 't':
      ++at;
      return '\t';
    case 'f':
      ++at;
      return '\f';
    default:
      if (isPunct(c)) {
        ++at;
        return static_cast<unsigned char>(c);
      }
      refuse("this escape is not supported");
      return 0;
    }
  }

  /// Takes one character of UTF-8.
  uint32_t character() {
    const auto *start = reinterpret_cast<const UTF8 *>(pattern.data()) + at;
    const UTF8 *next = start;
    UTF32 code = 0;
    if (convertUTF8Sequence(
            &next,
            reinterpret_cast<const UTF8 *>(pattern.data() + pattern.size()),
            &code, strictConversion) != conversionOK) {
      refuse("invalid UTF-8");
      return 0;
    }
    at += next - start;
    return code;
  }

  void literal(uint32_t code) {
    if (code < 0x80 && isAlnum(static_cast<char>(code)))
      out += static_cast<char>(code);
    else if (code < 0x80 && isPunct(static_cast<char>(code)))
      (out += '\\') += static_cast<char>(code);
    else
      out += "\\x{" + utohexstr(code, /*LowerCase=*/true) + "}";
  }

  StringRef pattern;
  size_t at = 0;
  std::string out;
  std::string problem; // the first one
};

} // namespace

Expected<std::string> convertSplitPattern(StringRef pattern) {
  return Converter(pattern).run();
}

StringRef byteLevelPattern() {
  return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
}

} // namespace quartet
