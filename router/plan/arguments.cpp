#include "router/plan/arguments.hpp"

#include <cstdlib>

#include "router/plan/errors.hpp"

namespace router {
namespace {

std::string_view type_of(json::Value value) {
  switch (value.type()) {
    case json::Type::null:
    case json::Type::array:
    case json::Type::object: return "object";
    case json::Type::boolean: return "boolean";
    case json::Type::number: return "number";
    case json::Type::string: return "string";
  }
  return "undefined";
}

bool fits(json::Value value, ArgumentType wanted) {
  switch (wanted) {
    case ArgumentType::string: return value.is(json::Type::string);
    case ArgumentType::number: return value.is(json::Type::number);
    case ArgumentType::array: return value.is(json::Type::array);
    case ArgumentType::object: return value.is(json::Type::object) || value.is(json::Type::array);
  }
  return false;
}

std::string_view name_of(ArgumentType type) {
  switch (type) {
    case ArgumentType::string: return "string";
    case ArgumentType::number: return "number";
    case ArgumentType::array: return "array";
    case ArgumentType::object: return "object";
  }
  return "";
}

std::string complaint(const Method& method, std::size_t position, json::Value value) {
  const Argument& argument = method.arguments[position];
  std::string text = std::string(method.name) + " expects \"" + std::string(argument.name) +
                     "\" (args[" + std::to_string(position) + "]) to be ";
  if (argument.type == ArgumentType::object && value.is(json::Type::null))
    return text + "an object but received the value \"null\"";
  return text + "of type " + std::string(name_of(argument.type)) + " but received type " +
         std::string(type_of(value)) + " instead";
}

}  // namespace

std::optional<fast::Error> check_arguments(const Method& method, json::Value d,
                                           std::vector<json::Value>& arguments) {
  arguments.clear();
  for (const json::Value value : d.elements()) arguments.push_back(value);

  if (arguments.size() != method.arguments.size())
    return errors::invocation(std::string(method.name) + " expects " +
                              std::to_string(method.arguments.size()) + " argument" +
                              (method.arguments.size() == 1 ? "" : "s"));
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (!fits(arguments[i], method.arguments[i].type))
      return errors::invocation(complaint(method, i, arguments[i]));
  return std::nullopt;
}

bool truthy(json::Value value) {
  switch (value.type()) {
    case json::Type::null: return false;
    case json::Type::boolean: return value.is_true();
    case json::Type::number: return std::strtod(std::string(value.text()).c_str(), nullptr) != 0;
    case json::Type::string: return !value.raw_string().empty();
    case json::Type::array:
    case json::Type::object: return true;
  }
  return true;
}

std::string text_of(json::Value value) {
  std::string scratch;
  if (value.is(json::Type::string)) return std::string(value.string(scratch));
  if (value.is(json::Type::object)) return "[object Object]";
  return std::string(value.text());
}

}  // namespace router
