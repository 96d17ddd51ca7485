#pragma once

#include <string_view>

#include "json/document.hpp"
#include "objects/bucket.hpp"
#include "objects/js_value.hpp"

/// Values for tests, from JSON text.
inline objects::JsValue value(std::string_view text) {
  json::Document document;
  if (document.parse(text)) throw std::runtime_error("no JSON: " + std::string(text));
  return objects::parse_value(document.root());
}

/// A bucket `b` with that index, e.g. `{"n":{"type":"number"}}`.
inline objects::Bucket bucket_with(std::string_view index) {
  return *objects::check_bucket("b", value(R"({"index":)" + std::string(index) + "}"));
}
