#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "config/config.hpp"

namespace config {

/// Reads one JSON object member by member: each member has a reader, members without one are
/// reported, and problems are collected with their paths.
class ObjectReader {
 public:
  ObjectReader(std::string path, std::vector<Problem>& problems)
      : path_(std::move(path)), problems_(problems) {}

  using Json = nlohmann::json;
  ObjectReader& member(const std::string& name,
                       std::function<void(const Json&, const std::string&)> read);
  ObjectReader& text(const std::string& name, std::string& into);
  ObjectReader& flag(const std::string& name, bool& into);
  ObjectReader& number(const std::string& name, std::uint64_t& into, std::uint64_t least,
                       std::uint64_t most);
  ObjectReader& port(const std::string& name, std::uint16_t& into);

  /// Reads `object`. `unknown`: where members without a reader are reported.
  void read(const Json& object, std::vector<Problem>& unknown) const;
  void complain(const std::string& name, const std::string& message) const;

 private:
  [[nodiscard]] std::string path_of(const std::string& name) const;

  std::string path_;
  std::vector<Problem>& problems_;
  std::map<std::string, std::function<void(const Json&, const std::string&)>> members_;
};

/// "a string", "a number" …, as problems name what was found.
std::string describe(const nlohmann::json& value);

void read_fleet(const nlohmann::json& value, const std::string& path, Fleet& into,
                std::vector<Problem>& problems);

/// Both forms of configuration file.
Parsed parse_own(const nlohmann::json& root);
Parsed parse_electric_moray(const nlohmann::json& root);

}  // namespace config
