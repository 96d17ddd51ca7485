#include "config/reader.hpp"

namespace config {

std::string describe(const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::null: return "null";
    case nlohmann::json::value_t::boolean: return value.get<bool>() ? "true" : "false";
    case nlohmann::json::value_t::string: return "the string " + value.dump();
    case nlohmann::json::value_t::array: return "a list";
    case nlohmann::json::value_t::object: return "an object";
    default: return "the number " + value.dump();
  }
}

std::string ObjectReader::path_of(const std::string& name) const {
  return path_.empty() ? name : path_ + "." + name;
}

void ObjectReader::complain(const std::string& name, const std::string& message) const {
  problems_.push_back({path_of(name), message});
}

ObjectReader& ObjectReader::member(const std::string& name,
                                   std::function<void(const Json&, const std::string&)> read) {
  members_[name] = std::move(read);
  return *this;
}

ObjectReader& ObjectReader::text(const std::string& name, std::string& into) {
  return member(name, [this, name, &into](const Json& value, const std::string&) {
    if (value.is_string() && !value.get<std::string>().empty())
      into = value.get<std::string>();
    else
      complain(name, "must be a string that is not empty, not " + describe(value));
  });
}

ObjectReader& ObjectReader::flag(const std::string& name, bool& into) {
  return member(name, [this, name, &into](const Json& value, const std::string&) {
    if (value.is_boolean())
      into = value.get<bool>();
    else
      complain(name, "must be true or false, not " + describe(value));
  });
}

ObjectReader& ObjectReader::number(const std::string& name, std::uint64_t& into,
                                   std::uint64_t least, std::uint64_t most) {
  return member(name, [this, name, &into, least, most](const Json& value, const std::string&) {
    if (value.is_number_integer() && value >= least && value <= most)
      into = value.get<std::uint64_t>();
    else
      complain(name, "must be a whole number from " + std::to_string(least) + " to " +
                         std::to_string(most) + ", not " + describe(value));
  });
}

ObjectReader& ObjectReader::port(const std::string& name, std::uint16_t& into) {
  return member(name, [this, name, &into](const Json& value, const std::string&) {
    if (value.is_number_integer() && value >= 0 && value <= 65535)
      into = value.get<std::uint16_t>();
    else
      complain(name, "must be a port from 0 to 65535, not " + describe(value));
  });
}

void ObjectReader::read(const Json& object, std::vector<Problem>& unknown) const {
  if (!object.is_object()) {
    problems_.push_back(
        {path_.empty() ? "(the whole file)" : path_, "must be an object, not " + describe(object)});
    return;
  }
  for (const auto& [name, value] : object.items()) {
    const auto found = members_.find(name);
    if (found == members_.end())
      unknown.push_back({path_of(name), "is not a known setting"});
    else
      found->second(value, path_of(name));
  }
}

}  // namespace config
