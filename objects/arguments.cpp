#include "objects/arguments.hpp"

#include <span>
#include <string>
#include <vector>

#include "objects/errors.hpp"
#include "objects/schema.hpp"

namespace objects {
namespace {

struct Expected {
  schema::Complaint (*check)(const JsValue& value, const std::string& path);
  const char* description;
};

constexpr Expected kString = {schema::nonempty_string, "a nonempty string"};
constexpr Expected kObject = {schema::object, "an object"};
constexpr Expected kArray = {schema::array, "an array"};
constexpr Expected kInteger = {schema::nonnegative_integer, "a nonnegative integer"};
constexpr Expected kOptions = {schema::options, "a valid options object"};
constexpr Expected kRequests = {schema::requests, "an array of valid request objects"};

struct Argument {
  const char* name;
  Expected kind;
};

struct Signature {
  std::string_view rpc;
  std::vector<Argument> arguments;
};

const std::vector<Signature>& signatures() {
  static const std::vector<Signature> all = {
      {"createBucket", {{"bucket", kString}, {"config", kObject}, {"options", kOptions}}},
      {"getBucket", {{"options", kOptions}, {"bucket", kString}}},
      {"listBuckets", {{"options", kOptions}}},
      {"updateBucket", {{"name", kString}, {"config", kObject}, {"options", kOptions}}},
      {"delBucket", {{"bucket", kString}, {"options", kOptions}}},
      {"putObject",
       {{"bucket", kString}, {"key", kString}, {"value", kObject}, {"options", kOptions}}},
      {"getObject", {{"bucket", kString}, {"key", kString}, {"options", kOptions}}},
      {"delObject", {{"bucket", kString}, {"key", kString}, {"options", kOptions}}},
      {"findObjects", {{"bucket", kString}, {"filter", kString}, {"options", kOptions}}},
      {"updateObjects",
       {{"bucket", kString}, {"fields", kObject}, {"filter", kString}, {"options", kOptions}}},
      {"deleteMany", {{"bucket", kString}, {"filter", kString}, {"options", kOptions}}},
      {"batch", {{"requests", kRequests}, {"options", kOptions}}},
      {"reindexObjects", {{"bucket", kString}, {"count", kInteger}, {"options", kOptions}}},
      {"sql", {{"statement", kString}, {"values", kArray}, {"options", kOptions}}},
      {"getTokens", {{"options", kOptions}}},
      {"ping", {{"options", kOptions}}},
      {"version", {{"options", kOptions}}},
      {"listen", {{"channel", kString}, {"options", kOptions}}},
      {"unlisten", {{"id", kString}, {"options", kOptions}}},
  };
  return all;
}

Failed check(const Signature& signature, const JsArray& arguments) {
  const std::string rpc(signature.rpc);
  const std::size_t count = signature.arguments.size();
  if (arguments.size() != count)
    return errors::invocation(rpc + " expects " + std::to_string(count) +
                              (count == 1 ? " argument" : " arguments"));
  for (std::size_t i = 0; i < count; ++i) {
    const Argument& argument = signature.arguments[i];
    if (const auto complaint = argument.kind.check(arguments[i], argument.name))
      return errors::invocation(rpc + " expects \"" + argument.name + "\" (args[" +
                                std::to_string(i) + "]) to be " + argument.kind.description + ": " +
                                *complaint);
  }
  return std::nullopt;
}

}  // namespace

Failed check_arguments(std::string_view rpc, const JsArray& arguments) {
  for (const Signature& signature : signatures())
    if (signature.rpc == rpc) return check(signature, arguments);
  return std::nullopt;
}

}  // namespace objects
