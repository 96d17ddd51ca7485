#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace objects {

/// A parsed LDAP-like filter (spec moray-postgres 8; its grammar and texts are pinned by
/// tests/data/moray/filters.jsonl). A value; a tree of at most `kFilterDepthMax` levels and
/// `kFilterPartsMax` parts.
struct Filter {
  enum class Kind : std::uint8_t {
    equal,
    greater_or_equal,
    less_or_equal,
    approximate,
    present,
    substring,
    extensible,
    conjunction,
    disjunction,
    negation
  };

  Kind kind = Kind::equal;
  std::string attribute;
  std::string value;                ///< comparisons and extensible
  std::optional<std::string> rule;  ///< extensible
  bool dn_attributes = false;       ///< extensible
  bool split = false;               ///< substring, or extensible with a wildcard: the parts below
  std::string initial;
  std::vector<std::string> any;
  std::string final;
  std::vector<Filter> children;  ///< conjunction, disjunction; one for negation

  bool operator==(const Filter&) const = default;
};

inline constexpr std::size_t kFilterDepthMax = 1000;
/// Comparisons, lists and negations of a filter: a worker is busy with so many for some 20 ms, in
/// which nobody else is served.
inline constexpr std::size_t kFilterPartsMax = 20'000;

struct ParsedFilter {
  std::optional<Filter> filter;
  std::string problem;  ///< the parser's own words where there is no filter
};

/// Strings are UTF-8. O(bytes).
ParsedFilter parse_filter(std::string_view text);

/// The filter's normal text.
std::string to_string(const Filter& filter);

}  // namespace objects
