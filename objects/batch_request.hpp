#pragma once

#include <string>

#include "objects/js_value.hpp"

namespace objects {

/// The batch's options over the request's, but for headers, where the request's come first (spec
/// moray-rpc 11). `request` and `options` have been checked.
JsValue merged_options(const JsValue& request, const JsValue& options);
/// The same for a delete, which heeds only its own etag.
JsValue delete_options(const JsValue& request, const JsValue& options);
/// put, delete, update or deleteMany.
std::string batch_operation(const JsValue& request);

/// What the answer says of a request: bucket, count, etag, and key and filter as they were given.
class BatchEntry {
 public:
  explicit BatchEntry(const JsValue& request) : request_(request) {
    entry_.set("bucket", *request.get("bucket"));
  }
  void set(const char* name, JsValue value) { entry_.set(name, std::move(value)); }
  JsObject finish();

 private:
  const JsValue& request_;
  JsObject entry_;
};

}  // namespace objects
