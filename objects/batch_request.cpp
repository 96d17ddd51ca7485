#include "objects/batch_request.hpp"

namespace objects {

JsValue merged_options(const JsValue& request, const JsValue& options) {
  const JsValue* own = request.get("options");
  JsObject result = own != nullptr ? *own->object() : JsObject();
  for (const auto& [name, value] : options.object()->members())
    if (name != "headers" || !result.contains("headers")) result.set(name, value);
  return result;
}

JsValue delete_options(const JsValue& request, const JsValue& options) {
  JsValue result = merged_options(request, options);
  for (const char* name : {"etag", "_etag"}) {
    result.object()->erase(name);
    const JsValue* own = request.get("options");
    if (const JsValue* etag = own == nullptr ? nullptr : own->get(name))
      result.object()->set(name, *etag);
  }
  return result;
}

std::string batch_operation(const JsValue& request) {
  const JsValue* operation = request.get("operation");
  return operation == nullptr ? "put" : *operation->string();
}

JsObject BatchEntry::finish() {
  for (const char* name : {"key", "filter"})
    if (const JsValue* given = request_.get(name); given != nullptr && given->truthy())
      entry_.set(name, *given);
  return std::move(entry_);
}

}  // namespace objects
