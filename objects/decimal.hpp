#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace objects {

/// A decimal number, as a bound of a numrange. Values compare by number: 1.50 is
/// 1.5; their texts may differ.
class Decimal {
 public:
  /// `-?d+(.d+)?`, of as many digits as PostgreSQL's numeric has.
  static std::optional<Decimal> parse(std::string_view text);
  /// Exactly the number that the shortest text of `number` says. `number` is finite.
  static Decimal of(double number);

  /// As PostgreSQL prints a numeric: no leading zeros, the fraction's digits as given.
  [[nodiscard]] std::string text() const;

  std::strong_ordering operator<=>(const Decimal& other) const;
  bool operator==(const Decimal& other) const { return (*this <=> other) == 0; }

 private:
  [[nodiscard]] bool zero() const;
  [[nodiscard]] std::strong_ordering compare_size(const Decimal& other) const;

  bool negative_ = false;
  std::string whole_;     // no leading zeros; empty: 0
  std::string fraction_;  // as given
};

}  // namespace objects
