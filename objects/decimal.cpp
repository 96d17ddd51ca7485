#include "objects/decimal.hpp"

#include <algorithm>
#include <charconv>

#include "objects/js_value.hpp"

namespace objects {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Of a numeric, on either side of its point.
constexpr std::size_t kWholeDigitsMost = 131'072;
constexpr std::size_t kFractionDigitsMost = 16'383;

std::string_view without_leading_zeros(std::string_view digits) {
  const std::size_t first = digits.find_first_not_of('0');
  return first == std::string_view::npos ? std::string_view() : digits.substr(first);
}

std::string_view without_trailing_zeros(std::string_view digits) {
  return digits.substr(0, digits.find_last_not_of('0') + 1);
}

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view text) {
  Decimal decimal;
  decimal.negative_ = text.starts_with('-');
  if (decimal.negative_) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  if (!all_digits(text.substr(0, point))) return std::nullopt;
  if (point != std::string_view::npos) {
    if (!all_digits(text.substr(point + 1))) return std::nullopt;
    decimal.fraction_ = text.substr(point + 1);
  }
  decimal.whole_ = without_leading_zeros(text.substr(0, point));
  if (decimal.whole_.size() > kWholeDigitsMost || decimal.fraction_.size() > kFractionDigitsMost)
    return std::nullopt;
  return decimal;
}

Decimal Decimal::of(double number) {
  std::string text = number_text(number);
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return *parse(text);
  int exponent = 0;
  const char* from = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(from, text.data() + text.size(), exponent);
  Decimal decimal = *parse(std::string_view(text).substr(0, e));
  std::string digits = decimal.whole_ + decimal.fraction_;
  const auto places = static_cast<std::ptrdiff_t>(decimal.whole_.size()) + exponent;
  if (places <= 0) {
    decimal.whole_.clear();
    decimal.fraction_ = std::string(static_cast<std::size_t>(-places), '0') + digits;
  } else {
    digits.resize(std::max(digits.size(), static_cast<std::size_t>(places)), '0');
    decimal.whole_ = digits.substr(0, static_cast<std::size_t>(places));
    decimal.fraction_ = digits.substr(static_cast<std::size_t>(places));
  }
  return decimal;
}

std::string Decimal::text() const {
  std::string text = negative_ && !zero() ? "-" : "";
  text += whole_.empty() ? "0" : whole_;
  if (!fraction_.empty()) text += "." + fraction_;
  return text;
}

bool Decimal::zero() const { return whole_.empty() && without_trailing_zeros(fraction_).empty(); }

std::strong_ordering Decimal::compare_size(const Decimal& other) const {
  if (whole_.size() != other.whole_.size()) return whole_.size() <=> other.whole_.size();
  if (const auto order = whole_.compare(other.whole_); order != 0) return order <=> 0;
  return without_trailing_zeros(fraction_).compare(without_trailing_zeros(other.fraction_)) <=> 0;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const {
  const bool below = negative_ && !zero();
  const bool other_below = other.negative_ && !other.zero();
  if (below != other_below) return other_below <=> below;
  return below ? other.compare_size(*this) : compare_size(other);
}

}  // namespace objects
