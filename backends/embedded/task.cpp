#include "backends/embedded/task.hpp"

namespace backends::embedded {
namespace {

using objects::JsValue;

// `(a=1)`, the shortest clause, becomes a node of a few hundred bytes.
constexpr std::size_t kConditionBytesPerFilterByte = 64;

std::size_t bytes_of(const JsValue& value) {
  std::size_t bytes = sizeof value;
  if (const std::string* text = value.string()) bytes += text->size();
  if (const objects::JsArray* elements = value.array())
    for (const JsValue& element : *elements) bytes += bytes_of(element);
  if (const objects::JsObject* object = value.object())
    for (const auto& [name, member] : object->members())
      bytes += sizeof name + name.size() + bytes_of(member);
  return bytes;
}

}  // namespace

bool is_read(Rpc rpc) {
  return rpc == Rpc::get_object || rpc == Rpc::get_bucket || rpc == Rpc::list_buckets;
}

std::size_t bytes_of(Rpc rpc, const objects::JsArray& arguments) {
  std::size_t bytes = sizeof(Task);
  for (const JsValue& argument : arguments) bytes += bytes_of(argument);
  if (rpc == Rpc::find_objects && arguments.size() > 1)
    if (const std::string* filter = arguments[1].string())
      bytes += kConditionBytesPerFilterByte * filter->size();
  return bytes;
}

}  // namespace backends::embedded
