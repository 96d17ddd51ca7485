#pragma once

#include <random>
#include <string>

namespace test_support {

/// Values of each index type, in JSON: usual ones, the ends of what a type holds, and some that it
/// does not. The same for the same generator.
class RandomValues {
 public:
  explicit RandomValues(std::mt19937& random) : random_(random) {}

  std::string type();                           ///< of a field, of any kind
  std::string scalar(const std::string& type);  ///< JSON
  /// JSON for a field of that type: of another type at times, null, and lists where it has them.
  std::string value_for(const std::string& type);
  /// As a filter has it.
  std::string in_filter(const std::string& type);
  std::string pattern();       ///< a text that a filter may look for
  std::string number_range();  ///< without quotes, as the next
  std::string date_range();

  static bool is_array(const std::string& type) { return type.front() == '['; }
  static std::string element_of(const std::string& type) {
    return is_array(type) ? type.substr(1, type.size() - 2) : type;
  }

 private:
  std::size_t dice(std::size_t sides) { return random_() % sides; }
  template <typename List>
  std::string one_of(const List& list) {
    return list[dice(std::size(list))];
  }

  std::mt19937& random_;
};

}  // namespace test_support
