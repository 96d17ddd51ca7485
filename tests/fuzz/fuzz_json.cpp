#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "json/document.hpp"
#include "json/text.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/unit/json/reference/reference.hpp"

// Whatever Document::parse takes, JSON.parse would take, and the other way round but for depth; and
// find() reads the member that JSON.parse would keep.

namespace {

void check_string(json::Value value, const std::string& expected) {
  std::string scratch;
  require(value.string(scratch) == expected, "a string unescapes as nlohmann's does");
  require(value.equals(expected), "a string equals what it unescapes to");
  require(!value.equals(expected + "x"), "a string does not equal a longer one");
  scratch.clear();
  json::append_quoted(scratch, expected);
  require(nlohmann::json::parse(scratch) == expected, "a quoted string reads back");
}

void check_value(json::Value value, const nlohmann::json& expected);

void check_object(json::Value object, const nlohmann::json& expected) {
  require(object.empty() == expected.empty(), "an object is empty as nlohmann's is");
  std::string scratch;
  for (const json::Member member : object.members()) {
    const std::string name(member.name.string(scratch));
    require(expected.contains(name), "every member is one of nlohmann's");
    require(member.named(name), "a member has its own name");
  }
  for (const auto& [name, child] : expected.items()) {
    const auto found = object.find(name);
    require(found.has_value(), "every member of nlohmann's is found");
    check_value(*found, child);
  }
}

void check_array(json::Value array, const nlohmann::json& expected) {
  require(array.empty() == expected.empty(), "an array is empty as nlohmann's is");
  std::size_t count = 0;
  for (const json::Value element : array.elements()) {
    require(count < expected.size(), "no more elements than nlohmann's");
    check_value(element, expected[count++]);
  }
  require(count == expected.size(), "as many elements as nlohmann's");
}

void check_value(json::Value value, const nlohmann::json& expected) {
  require(!value.text().empty(), "a value has text");
  switch (value.type()) {
    case json::Type::null: return require(expected.is_null(), "null");
    case json::Type::boolean: return require(expected == value.is_true(), "boolean");
    case json::Type::number:
      require(nlohmann::json::accept(json_reference::repaired(value.text())), "a number's text");
      return require(expected.is_number(), "number");
    case json::Type::string:
      require(expected.is_string(), "string");
      return check_string(value, expected.get<std::string>());
    case json::Type::array:
      require(expected.is_array(), "array");
      return check_array(value, expected);
    case json::Type::object:
      require(expected.is_object(), "object");
      return check_object(value, expected);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  // A block of exactly the text's size, so that a byte read behind it is noticed.
  const std::unique_ptr<char[]> copy(new char[size]);
  if (size > 0) std::memcpy(copy.get(), bytes, size);
  const std::string_view text(copy.get(), size);

  json::Document document;
  const auto problem = document.parse(text);
  if (problem) require(problem->offset <= size, "a problem's offset is inside the text");
  if (problem && problem->fault == json::Fault::too_deep) return 0;
  require(problem.has_value() != json_reference::accepts(std::string(text)),
          "parse agrees with nlohmann_json");
  if (!problem) check_value(document.root(), nlohmann::json::parse(json_reference::repaired(text)));
  return 0;
}
